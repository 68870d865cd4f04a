import math

import pytest
import torch
from torch import Tensor

from lexel.models.layers.attention import Attention, mix_by_products, seen_from
from lexel.models.layers.packing import Group, Packing, take


def attend_by_hand(attention: Attention, tokens: Tensor) -> Tensor:
    """Head by head, with the whole matrix of weights. tokens (T, D)."""
    q, k, v = attention.qkv(tokens).chunk(3, dim=-1)  # each (T, D)
    heads = []
    for q_head, k_head, v_head in zip(*(x.chunk(attention.heads, dim=-1) for x in (q, k, v)), strict=True):
        logits = q_head @ k_head.T / math.sqrt(q_head.shape[-1])
        if attention.causal:
            logits = logits.masked_fill(torch.ones_like(logits).triu(1).bool(), -math.inf)
        heads.append(logits.softmax(-1) @ v_head)
    return attention.output(torch.cat(heads, dim=-1))


def made(causal: bool) -> tuple[Attention, Tensor, Tensor]:
    """Attention in float64, tokens (3, 7, 24), and what is expected of it."""
    attention = Attention(24, 3, causal).double()
    tokens = torch.randn(3, 7, 24, dtype=torch.float64)
    return attention, tokens, torch.stack([attend_by_hand(attention, row) for row in tokens])


@pytest.mark.parametrize("causal", [False, True])
def test_attention_equals_the_formula(causal: bool) -> None:
    attention, tokens, expected = made(causal)
    torch.testing.assert_close(attention(tokens), expected)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("read", [0, -1, 3, torch.tensor([6, 0, 2])], ids=str)
def test_what_is_read_alone_is_what_it_would_be_among_all(causal: bool, read: Tensor | int) -> None:
    attention, tokens, expected = made(causal)
    torch.testing.assert_close(attention(tokens, read=read), take(expected, read))


def test_a_mask_holds_for_what_is_read_alone() -> None:
    attention, tokens, _ = made(True)
    mask = torch.rand(3, 1, 7, 7) < 0.6
    mask |= torch.eye(7, dtype=torch.bool)
    read = torch.tensor([4, 1, 6])
    torch.testing.assert_close(attention(tokens, mask, read), take(attention(tokens, mask), read))


@pytest.mark.parametrize("causal", [False, True])
def test_packed_rows_see_their_own_row_only(causal: bool) -> None:
    attention = Attention(24, 3, causal).double()
    rows = [torch.randn(length, 24, dtype=torch.float64) for length in (2, 2, 5)]
    packing = Packing((Group(rows=2, length=2), Group(rows=1, length=5)))
    expected = torch.cat([attend_by_hand(attention, row) for row in rows])
    torch.testing.assert_close(attention(torch.cat(rows), packing=packing), expected)
    read = attention(torch.cat(rows), read=torch.tensor([1, 0, 3]), packing=packing)
    torch.testing.assert_close(read, expected[[1, 2, 7]])


@pytest.mark.parametrize("causal", [False, True])
def test_training_in_bfloat16_differs_by_rounding_only(causal: bool) -> None:
    """There the products are written out; evaluation takes PyTorch's fused kernel."""
    attention = Attention(32, 2, causal).bfloat16()
    tokens = torch.randn(4, 9, 32).bfloat16()
    gradients = []
    for training in (True, False):
        attention.train(training).zero_grad()
        attention(tokens).float().square().sum().backward()
        assert attention.qkv.weight.grad is not None
        gradients.append(attention.qkv.weight.grad.float())
    assert (gradients[0] - gradients[1]).norm() < 0.02 * gradients[1].norm()


def test_the_written_out_products_are_the_fused_kernel() -> None:
    q, k, v = torch.randn(3, 2, 3, 6, 8, dtype=torch.float64)
    mask = (torch.rand(2, 1, 6, 6) < 0.5) | torch.eye(6, dtype=torch.bool)
    fused = torch.nn.functional.scaled_dot_product_attention
    torch.testing.assert_close(mix_by_products(q, k, v), fused(q, k, v))
    torch.testing.assert_close(mix_by_products(q, k, v, is_causal=True), fused(q, k, v, is_causal=True))
    torch.testing.assert_close(mix_by_products(q, k, v, mask), fused(q, k, v, mask))


def test_a_causal_token_sees_itself_and_what_is_before() -> None:
    assert seen_from(-2, 4, torch.device("cpu")).flatten().tolist() == [True, True, True, False]
    assert seen_from(torch.tensor([0, 2]), 3, torch.device("cpu"))[:, 0, 0].tolist() == [
        [True, False, False],
        [True, True, True],
    ]
