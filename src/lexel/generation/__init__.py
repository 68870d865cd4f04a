"""What can be made from the shared space, beside vectors?

In reading order: `heat_maps` (where a model looks in a picture, and at which words of a text).
"""
