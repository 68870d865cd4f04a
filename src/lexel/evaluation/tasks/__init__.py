"""What a model is measured by: one file a task.

In reading order: `base` (what a task is given and what it answers), `zero_shot`, `retrieval`, and `registry` (the list
of them).
"""
