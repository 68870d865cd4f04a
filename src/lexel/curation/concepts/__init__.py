"""Flagging pictures that show a concept: by words, or by a classifier trained on examples.

In reading order:

filtering        the whole: pictures in, flags out
words            scoring by sentences (zero-shot)
head             scoring by logistic regression on embeddings, learned from two folders
threshold        from which score a picture is flagged, and how often that is wrong (Wilson interval)
review           the page on which people look at what was flagged
"""
