"""Which numbers say how good a ranking is, and how sure are they?

In reading order: `metric` (a number with its interval and chance level; ranks, recall, resampling),
`average_precision`, `twins` (pairs of images and captions that a model must distinguish), `outcomes` (what each
example contributed).
"""
