"""SQLite and nothing else: the truth of a library, and how it is read, changed and searched for words.

Read in this order:

    database        how the file is laid out, opened and guarded
    changes         what can be changed within a transaction
    records         Records: photos, vectors, thumbnails, words; Photo
    contents        files by their content, which equal files share
    known_files     files as the records have them, to be compared with the disk
    places          what a library looks through and what it leaves out
    table_captions  captions that metadata tables give
    next_vectors    the vectors of a model that takes another's place
    counts          how many photos of what kind there are
    integrity       whether the database is as Lexel writes it
    label_history   which labels were given, so that they can be taken back
"""
