"""How does a generative module learn: captioner, prior, decoder?

In reading order: `settings` (how long, how fast, how often saved), `learn` (the loop), `batches` (which rows come in
which step), `folder` (the guard that a folder stays one run), `embeddings` (the vectors that are learned from).
"""
