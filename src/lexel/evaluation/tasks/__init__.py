"""What a model is measured by: one file a task.

In reading order: `base` (what a task is given and what it answers), `zero_shot`, `multi_label`,
`hierarchy`, `retrieval`, `published_retrieval`
(as other tables measure it), `prompt_sensitivity`, `robustness` (damaged pictures); `learning` (images to
learn from and to test on) with `probe`, `linear_probe` and `nearest_neighbours`; `confidence` (calibration),
`geometry`; and `registry` (the list of them all).
"""
