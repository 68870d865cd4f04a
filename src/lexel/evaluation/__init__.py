"""How good a model is, and what its answers mean.

In reading order: `prompts` and `labels` (what users give), `classifier` and `ranking` (naming one image, choosing a
caption), `embedded_source` (a source, embedded once), `metrics` and `outcomes` (numbers with their intervals, and what
each example contributed), `tasks` (one file for each kind of measurement), `evaluate` (all of them on all sources),
`sections` and `report` (what is kept), `phrases`, `caveats`, `gallery`, `charts` and `page` (how it is told),
`calibrate` (what a cosine means).
"""
