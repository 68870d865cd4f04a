import math

import pytest
import torch
from torch import Tensor

from lexel.models.transformer import ACTIVATIONS, Attention, Block, QuickGELU


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
    block = Block(16, 2, 64, "gelu", causal=True)
    tokens = torch.randn(1, 6, 16)
    changed = tokens.clone()
    changed[:, 4:] += 1
    torch.testing.assert_close(block(changed)[:, :4], block(tokens)[:, :4])


def test_training_and_evaluation_give_the_same_numbers() -> None:
    block = Block(16, 2, 64, "gelu", causal=False)
    tokens = torch.randn(3, 5, 16)
    with torch.no_grad():
        assert torch.equal(block.train()(tokens), block.eval()(tokens))


def test_quick_gelu_is_near_gelu_but_not_equal() -> None:
    x = torch.linspace(-4, 4, 81)
    distance = (QuickGELU()(x) - torch.nn.functional.gelu(x)).abs().max()
    assert 0.005 < distance < 0.03


def test_tanh_gelu_is_its_formula() -> None:
    x = torch.linspace(-4, 4, 81, dtype=torch.float64)
    expected = x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    torch.testing.assert_close(ACTIVATIONS["gelu_tanh"]()(x), expected)


def test_a_mask_says_where_each_token_may_look() -> None:
    block = Block(16, 2, 64, "gelu", causal=True)
    tokens = torch.randn(1, 5, 16)
    mask = torch.ones(1, 1, 5, 5, dtype=torch.bool)
    mask[..., :4, 4] = False  # nobody looks at the last one but itself
    changed = tokens.clone()
    changed[:, 4] += 1
    torch.testing.assert_close(block(changed, mask)[:, :4], block(tokens, mask)[:, :4])
    assert not torch.allclose(block(tokens, mask)[:, 0], block(tokens)[:, 0])


def test_layer_scale_weighs_what_each_branch_adds() -> None:
    scaled, plain = Block(16, 2, 64, "gelu", causal=False, layer_scale=True), Block(16, 2, 64, "gelu", causal=False)
    plain.load_state_dict(scaled.state_dict(), strict=False)
    assert scaled.attention_gain is not None
    assert scaled.mlp_gain is not None
    tokens = torch.randn(2, 5, 16)
    torch.testing.assert_close(scaled(tokens), plain(tokens))
    torch.nn.init.zeros_(scaled.mlp_gain)
    torch.nn.init.constant_(scaled.attention_gain, 0.5)
    expected = tokens + plain.attention(plain.attention_norm(tokens)) / 2
    torch.testing.assert_close(scaled(tokens), expected)


def test_every_norm_has_the_epsilon_that_is_asked_for() -> None:
    block = Block(16, 2, 64, "gelu", causal=False, norm_epsilon=1e-3)
    assert block.attention_norm.eps == block.mlp_norm.eps == 1e-3
