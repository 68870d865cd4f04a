"""How good are captions? Each measure by its published definition.

In reading order: `words` (what counts as a word), `bleu`, `rouge`, `cider` (agreement with references), `clip_score`
(agreement with the picture, as CLIP sees it), `diversity` (how varied captions are, and how many are copies).
"""
