"""What does the web page need beyond the API? Routes below `/page`, which only the page knows and which may change.

In reading order:

samples    pictures to try the model on: the library's, or scenes that Lexel draws
seen       what the model sees in a photo: the words and captions that fit it
maps       the map of the embeddings, made once in the background
growth     how a batch lit up during training, where the run is still beside the model
routes     all of it as routes
map_page   the map as one HTML file, for `lexel map`
"""
