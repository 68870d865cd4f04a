"""How is a pretrained model adapted to new data without forgetting?

In reading order: `settings` (which way, as a recipe says it), `lora` (a small product beside each large one learns).
Locking a tower is `optimization/freezing.py`; mixing the outcome with the start is `lexel.blending`.
"""
