"""SQLite and nothing else: the truth of a library, and how it is read, changed and searched for words.

Read in this order:

    paths           paths as users give them, as SQLite keeps them, and as they are shown
    tables          the tables, in SQL
    schema          how the file is opened, and SQLite's errors
    migration       from an older format to this one
    checksums       of rows, to know damage by
    changes         what can be changed within a transaction
    records         Records: photos, vectors, thumbnails, words; Photo
    contents        files by their content, which equal files share
    known_files     files as the records have them, to be compared with the disk
    places          what a library looks through and what it leaves out
    table_captions  captions that metadata tables give
    next_vectors    the vectors of a model that takes another's place
    counts          how many photos of what kind there are
    integrity       whether the database is as Lexel writes it
    budget          what a query that a user has written may cost
    locking         one writer at a time
    label_history   which labels were given, so that they can be taken back
"""
