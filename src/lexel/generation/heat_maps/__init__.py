"""Where does a model look?

In reading order: `explain` (a picture and texts → heat maps, in the picture's own coordinates), `geometry` (which part
of the picture a tower sees), `attention`, `convolutions` and `occlusion` (the map of one text, by what kind of tower it
is), `words` (which words of a text count), `page` (the HTML page).
"""
