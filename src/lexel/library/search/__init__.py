"""What may be asked of a library, and how the answer is found in anything `Searchable`.

Read in this order:

    query           Query and Hit: what is asked, and one photo that is found
    searchable      the protocol that Library and ClusterLibrary fulfil
    ranking         from a query to hits, best first
    query_vector    words and pictures as one vector
    filters         conditions over the photos' columns, SQL among them
    strength        how sure a hit is: strong, possible, unlikely
    diversity       results that differ from each other
    search_methods  `search` and `find`, which both kinds of library have
"""
