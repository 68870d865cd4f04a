"""What towers are built of.

In reading order: `attention` and `transformer` (the blocks), `packing` (captions without padding), `positions` and
`pooling` (the ends of a tower).
"""
