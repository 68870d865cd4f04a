import math

import pytest
import torch
from torch import Tensor

from lexel.models.transformer import Attention, Block, QuickGELU


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


@pytest.mark.parametrize("causal", [False, True])
def test_attention_equals_the_formula(causal: bool) -> None:
    attention = Attention(24, 3, causal).double()
    tokens = torch.randn(2, 7, 24, dtype=torch.float64)
    expected = torch.stack([attend_by_hand(attention, row) for row in tokens])
    torch.testing.assert_close(attention(tokens), expected)


def test_a_causal_block_never_looks_ahead() -> None:
    block = Block(16, 2, 4.0, "gelu", causal=True)
    tokens = torch.randn(1, 6, 16)
    changed = tokens.clone()
    changed[:, 4:] += 1
    torch.testing.assert_close(block(changed)[:, :4], block(tokens)[:, :4])


def test_training_and_evaluation_give_the_same_numbers() -> None:
    block = Block(16, 2, 4.0, "gelu", causal=False)
    tokens = torch.randn(3, 5, 16)
    with torch.no_grad():
        assert torch.equal(block.train()(tokens), block.eval()(tokens))


def test_quick_gelu_is_near_gelu_but_not_equal() -> None:
    x = torch.linspace(-4, 4, 81)
    distance = (QuickGELU()(x) - torch.nn.functional.gelu(x)).abs().max()
    assert 0.005 < distance < 0.03


def test_the_hidden_width_follows_a_ratio_that_is_not_whole() -> None:
    assert Block(1664, 16, 4.9231, "gelu", causal=False).mlp.expand.out_features == 8192
