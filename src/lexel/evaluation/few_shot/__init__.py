"""What can a few labelled pictures of each class teach, within seconds, beside what the model knows from words?

In reading order: `text_head` (a linear classifier that stays near the text embeddings), `example_cache` (pictures that
look like the examples of a class), `folds` (which examples are kept apart when), `choice` (how far to go from the text
embeddings, by cross-validation), `learned` (all of it together, and what accuracy to expect).
"""
