"""The gradient of a loss over a whole batch, with the activations of one part of it in memory at a time.

Every sample is a negative of every other, so a batch cannot be cut up and its gradients added. As in Gao et al. 2021
(GradCache): embed each part without activations; let the loss over all embeddings say what the gradient of each is;
embed each part once more, and hand it its own. These gradients are exact, so the weights' are, up to rounding. The last
part keeps its activations the first time, so k parts take 2k − 1 forward passes and k backward passes.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from lexel.training.loss.softmax import Contrast
from lexel.training.metering.phases import phase


def backward_in_parts(
    parts: Sequence[slice],
    towers: Sequence[Callable[[slice], Tensor]],
    contrast: Callable[..., Contrast],
    last_backward: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Contrast:
    """Add the gradient of `contrast` to all that it depends on.

    `parts` are consecutive rows of the batch that make up the whole. Each of `towers` maps rows to their embeddings
    (rows, E), and for the same rows to the same each time. `contrast` takes what the towers give for all rows. The last
    backward pass through the towers, after which no gradient of theirs changes, is made within `last_backward()`.
    """
    if len(parts) == 1:
        result = contrast(*(tower(parts[0]) for tower in towers))
        with phase("backward"), last_backward():
            result.loss.backward()
        return result

    *again, kept = parts
    with torch.no_grad():
        first = [[tower(part) for part in again] for tower in towers]
    alive = [tower(kept) for tower in towers]
    learning = [embeddings.requires_grad for embeddings in alive]  # a frozen tower is not asked twice
    whole = [
        torch.cat([*parts_of_it, last.detach()]).requires_grad_(learns)
        for parts_of_it, last, learns in zip(first, alive, learning, strict=True)
    ]
    result = contrast(*whole)
    with phase("backward"):
        result.loss.backward()
        _hand_over(alive, [embeddings.grad for embeddings in whole], kept)
    del alive
    for part in again:
        parts_of_it = [tower(part) if learns else None for tower, learns in zip(towers, learning, strict=True)]
        with phase("backward"), last_backward() if part == again[-1] else nullcontext():
            _hand_over(parts_of_it, [embeddings.grad for embeddings in whole], part)
    return result


def _hand_over(embeddings: Sequence[Tensor | None], gradients: Sequence[Tensor | None], part: slice) -> None:
    """Go on backward from the embeddings of one part, given the gradients of all parts'."""
    pairs = [
        (some, gradient[part])
        for some, gradient in zip(embeddings, gradients, strict=True)
        if some is not None and gradient is not None
    ]
    torch.autograd.backward([some for some, _ in pairs], [gradient for _, gradient in pairs])
