"""Which requests does the API answer? One file for each group of routes, with a function that returns its router.

embeddings  texts and pictures as vectors
judging     classify, rank, similarity
search      over the library
photos      the photos themselves
library     what is in the library; adding and removing
models      what is served
status      health, readiness, numbers
page        the web page
"""
