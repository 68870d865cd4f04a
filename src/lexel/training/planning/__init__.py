"""What will a run need?

In reading order:

    plan                   `plan_run`: operations, time, memory and network of a recipe
    plan_data              how many pairs there are, how long their captions, how many bytes
    memory                 what a step holds in the memory of one device
    traced_activations     activations of convolutional towers, counted without computing
    accelerators           what devices can do, stated or measured
"""
