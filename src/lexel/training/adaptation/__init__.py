"""How does a model that knows much already learn more, without losing what it knew?

In reading order: `settings` (which way, as a recipe says it), `lora` (a small product beside each large one learns).
Locking a tower is `optimization/freezing.py`; mixing the outcome with the start is `lexel.blending`.
"""
