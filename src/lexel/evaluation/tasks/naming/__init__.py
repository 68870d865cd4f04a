"""How well does a model name what is in an image, with labels named only now?

In reading order: `zero_shot`, `multi_label`, `hierarchy`; what the prompts are worth (`prompt_sensitivity`), whether
its probabilities hold (`confidence`); and what damaged pictures (`robustness`) and written words (`typography`) do.
"""
