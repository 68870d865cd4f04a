"""How well are images found by captions, and captions by images?

In reading order: `retrieval` (equal captions are one text), `published_retrieval` (as other tables measure it).
"""
