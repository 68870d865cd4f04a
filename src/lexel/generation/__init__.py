"""What can be generated from the shared space?

In reading order: `heat_maps` (where a model looks in a picture, and at which words of a text), `learning` (how a
generative module learns), `captions` (sentences for pictures).
"""
