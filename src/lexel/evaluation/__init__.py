"""How good a model is, and what its answers mean.

In reading order: `texts` (the sentences in which a model is asked), `matching`, `ranking` and `classifier` (one image:
which text fits, which label), `few_shot` (what a classifier learns from examples), `image_rows` (many of them, from
and to a table), `embedded_source` and `evaluation_cache` (a source, embedded once), `source_fingerprint`, `published`
(public probes, from their files), `metrics` (numbers with their intervals), `pictures` (what Lexel draws or damages),
`report` (sections and pages), `tasks` (one file for each kind of measurement), `suites`, `evaluate` (all tasks on all
sources), `comparison` (two models on the same examples), `calibrate` (what a cosine means), `fitting` (a classifier
that learns from a source).
"""
