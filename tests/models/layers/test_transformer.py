import math

import pytest
import torch
from torch import Tensor, nn

from lexel.models.layers.packing import take
from lexel.models.layers.transformer import ACTIVATIONS, Block, QuickGELU, recompute


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


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("read", [0, -1, torch.tensor([2, 4, 0])], ids=str)
def test_a_block_that_is_read_at_one_token_gives_it_as_it_would_be(causal: bool, read: Tensor | int) -> None:
    block = Block(16, 2, 64, "gelu", causal=causal, layer_scale=True).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.3)
    tokens = torch.randn(3, 5, 16, dtype=torch.float64, requires_grad=True)
    outputs = block(tokens, read=read), take(block(tokens), read)
    torch.testing.assert_close(*outputs)
    gradients = [torch.autograd.grad(out.square().sum(), [tokens, *block.parameters()]) for out in outputs]
    torch.testing.assert_close(*gradients)


def test_what_is_computed_again_has_the_same_gradients_to_the_bit() -> None:
    block = Block(16, 2, 64, "gelu", causal=True)
    tokens = torch.randn(3, 5, 16, requires_grad=True)
    calls = []
    block.mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    kept, again = (
        torch.autograd.grad(output.square().sum(), [tokens, *block.parameters()])
        for output in (block(tokens), recompute(block, tokens))
    )
    assert all(torch.equal(a, b) for a, b in zip(kept, again, strict=True))
    assert len(calls) == 3
