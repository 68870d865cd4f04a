"""A library on a Qdrant cluster: for more photos than one machine should hold.

Read in this order:

    collection      one collection: its address, what is kept about it, its errors
    filling         putting vectors and facts there
    records         the facts of photos, of the points' payloads
    vectors         the vectors, searched by the servers
    conditions      a library's filter in Qdrant's terms
    library         ClusterLibrary, searched as a Library is
"""
