"""The gradient of a loss over a whole batch, with the activations of one part of it in memory at a time.

Every sample is a negative of every other, so a batch cannot be cut up and its gradients added. As in Gao et al. 2021
(GradCache): embed each part without activations; let the loss over all embeddings say what the gradient of each is;
embed each part once more, and hand it its own. These gradients are exact, so the weights' are, up to rounding. The last
part keeps its activations the first time, so k parts take 2k − 1 forward passes and k backward passes.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from lexel.training.metering.phases import phase
from lexel.training.step.objective import BatchLoss


def backward_in_parts(
    parts: Sequence[slice],
    passes: Mapping[str, Callable[[slice], Tensor]],
    loss: Callable[[dict[str, Tensor]], BatchLoss],
    last_backward: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> BatchLoss:
    """Add the gradient of `loss` to all that it depends on.

    `parts` are consecutive rows of the batch that make up the whole. Each of `passes` maps rows to outputs (rows, …),
    and the same rows to the same each time. `loss` takes the outputs of all rows by the names of the passes. The last
    backward pass through the towers, after which no gradient of theirs changes, is made within `last_backward()`.
    """
    if len(parts) == 1:
        result = loss({name: run(parts[0]) for name, run in passes.items()})
        with phase("backward"), last_backward():
            result.loss.backward()
        return result

    *earlier, last = parts
    with torch.no_grad():
        first = {name: [run(part) for part in earlier] for name, run in passes.items()}
    with_graph = {name: run(last) for name, run in passes.items()}
    learning = {name: output.requires_grad for name, output in with_graph.items()}  # a frozen tower is not run twice
    whole = {
        name: torch.cat([*first[name], output.detach()]).requires_grad_(learning[name])
        for name, output in with_graph.items()
    }
    result = loss(whole)
    with phase("backward"):
        result.loss.backward()
        _backward_from(with_graph, whole, last)
    del with_graph
    for part in earlier:
        again = {name: run(part) for name, run in passes.items() if learning[name]}
        with phase("backward"), last_backward() if part == earlier[-1] else nullcontext():
            _backward_from(again, whole, part)
    return result


def _backward_from(outputs: Mapping[str, Tensor], whole: Mapping[str, Tensor], part: slice) -> None:
    """Go on backward from the outputs of one part, whose gradients are those of its rows of the `whole`."""
    pairs = [(output, gradient[part]) for name, output in outputs.items() if (gradient := whole[name].grad) is not None]
    torch.autograd.backward([output for output, _ in pairs], [gradient for _, gradient in pairs])
