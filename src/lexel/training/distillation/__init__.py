"""How does a model learn from a larger one?

In reading order: `settings` (which teacher, and what of it is matched), `teacher_map` (where lengths of embeddings
differ). The loss is `loss/soft_targets.py` and `step/distilling.py`; the teacher is read in `inputs/teacher.py`.
"""
