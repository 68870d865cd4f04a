"""How much a step computes, how fast it was, and where its time went.

- `work`: tokens and model FLOPs of a batch;
- `meter`: rates, MFU and memory;
- `phases`: a stopwatch for the named parts of a step.
"""
