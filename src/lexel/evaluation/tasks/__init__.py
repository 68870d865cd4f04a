"""What a model is measured by: one file a task.

In reading order: `base` (what a task is given and what it answers); the tasks by what they ask: `naming`, `finding`,
`learning`, `compositional`, and `geometry` (how the embeddings lie); `drawn` (those with pictures of their own,
measured once); `registry` (the list of them all).
"""
