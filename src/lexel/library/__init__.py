"""The photo library: a folder that knows your pictures, is kept up to date, and is searched.

Read in this order, which is that of its layers from the lowest:

    store           SQLite: the truth of a library
    model           which model its vectors are from
    disk            what lies on the disk, what has changed there, and how it is embedded
    index           a faiss index as a cache of the vectors
    search          what may be asked, and how it is found
    upkeep          counting, checking and exporting what is there
    pages           HTML pages of pictures
    library         Library: all of it in one object
    cluster         a Qdrant collection in the place of records and vectors
"""
