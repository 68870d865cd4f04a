"""In which sentences is a model asked?

In reading order: `labels` (lists as people write them), `label_structure` (several labels of one image, paths of
labels), `prompts` (templates), `long_texts` (what the model does not read to its end).
"""
