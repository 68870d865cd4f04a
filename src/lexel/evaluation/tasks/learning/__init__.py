"""What can be learned from a model's frozen embeddings?

In reading order: `learning_data` (images to learn from and to test on), `probe` (logistic regression), `linear_probe`
(the task, with its few-shot curve), `nearest_neighbours`.
"""
