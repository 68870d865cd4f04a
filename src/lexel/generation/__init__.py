"""What can be generated from the shared space?

In reading order: `heat_maps` (where a model looks in a picture, and at which words of a text), `guidance` (a generator
of pictures, steered), `learning` (how a generative module learns), `captions` (sentences for pictures), `pictures`
(pictures from words).
"""
