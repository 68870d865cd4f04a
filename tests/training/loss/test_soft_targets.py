"""The divergence from a teacher's distribution, against its formula, in one process and in several."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from processes import together
from torch import Tensor

from lexel.training.loss import soft_targets
from lexel.training.loss.soft_targets import soft_target_loss

TEACHER_SCALE = 9.0
ROWS = {2: [5, 8], 3: [6, 0, 7]}  # of each process


def case(count: int) -> list[Tensor]:
    """Queries, keys, the teacher's queries and keys: float64 unit vectors."""
    random = np.random.default_rng(count)
    return [F.normalize(torch.from_numpy(random.normal(size=(count, width)))) for width in (6, 6, 9, 9)]


def plain(count: int) -> tuple[Tensor, list[Tensor]]:
    """The divergence and its gradients, with torch's own Kullback-Leibler divergence of the whole matrices."""
    queries, keys, teacher_queries, teacher_keys = case(count)
    leaves = [queries.requires_grad_(), keys.requires_grad_(), torch.tensor(14.0).double().requires_grad_()]
    logs = (leaves[2] * queries @ keys.T).log_softmax(1)
    targets = (TEACHER_SCALE * teacher_queries @ teacher_keys.T).log_softmax(1)
    loss = F.kl_div(logs, targets, reduction="batchmean", log_target=True)
    loss.backward()
    return loss.detach(), [leaf.grad if leaf.grad is not None else leaf for leaf in leaves]


def ours(count: int, rows: slice, counts: list[int]) -> list[Tensor]:
    """Loss and gradients of these rows, with few entries of the matrix at once."""
    queries, keys, teacher_queries, teacher_keys = (vectors[rows] for vectors in case(count))
    leaves = [queries.requires_grad_(), keys.requires_grad_(), torch.tensor(14.0).double().requires_grad_()]
    with patch.object(soft_targets, "ENTRIES_AT_ONCE", 3 * count):
        loss = soft_target_loss(*leaves, teacher_queries, teacher_keys, TEACHER_SCALE, counts)
        (2 * loss).backward()
    return [loss.detach(), *(leaf.grad / 2 for leaf in leaves if leaf.grad is not None)]


def of_rank(count: int) -> list[Tensor]:
    torch.distributed.init_process_group("gloo")
    rank, rows = torch.distributed.get_rank(), ROWS[count]
    return ours(sum(rows), slice(sum(rows[:rank]), sum(rows[: rank + 1])), rows)


def test_divergence_and_gradients_are_those_of_the_formula():
    loss, gradients = plain(11)
    for found, expected in zip(ours(11, slice(None), [11]), [loss, *gradients], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_a_model_that_is_its_teacher_has_no_divergence():
    queries, keys, *_ = case(7)
    loss = soft_target_loss(queries, keys, torch.tensor(TEACHER_SCALE), queries, keys, TEACHER_SCALE, [7])
    assert float(loss) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("count", [2, 3])
def test_every_process_gets_the_divergence_of_all_and_the_gradients_of_its_rows(count):
    rows = ROWS[count]
    loss, (queries, keys, scale) = plain(sum(rows))
    for rank, found in enumerate(together(count, [(of_rank, (count,))])[0]):
        if isinstance(found, BaseException):
            raise found
        own = slice(sum(rows[:rank]), sum(rows[: rank + 1]))
        for one, expected in zip(found, [loss, queries[own], keys[own], scale], strict=True):
            torch.testing.assert_close(one, expected, rtol=1e-10, atol=1e-12)
