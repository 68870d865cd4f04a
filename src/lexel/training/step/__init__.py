"""One step: the loss of a batch and its gradients.

- `objective`: what a step trains, as a protocol; a new one needs no edit elsewhere in this package;
- `contrastive`: CLIP's objective, the first of them;
- `gradients`: how any objective is computed, on any device, in parts, by any number of processes;
- `gradient_cache`: the exact gradient of a batch of which one part at a time is in memory;
- `micro_batch`: how large the parts may be; `compilation`: compiled blocks;
- `seeds`: all that is random in a step, as functions of seed, step and place in the batch.
"""
