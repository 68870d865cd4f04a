"""From gradients to weights.

- `optimizer`: a step of AdamW, or of Muon beside it, with clipping, the guard against numbers that are not finite, and
  averaging;
- `schedule`: the learning rate over the run; `gradient_norm`: clipping;
- `parameter_groups`: which rule and which share of the learning rate each weight gets; `tower_depth`: its layer;
- `muon`: momentum made orthogonal;
- `average`: a moving average of the weights; `freezing`: towers that learn nothing.
"""
