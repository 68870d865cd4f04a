"""A faiss index as a cache of the records' vectors, searched as exactly as the vectors themselves.

Read in this order:

    codes           which faiss index for how many vectors, how it is built and searched
    index_files     the cache's files: written whole, checked, thrown away when they do not fit
    vectors         Vectors: the index and what has changed beside it; candidates are rescored
"""
