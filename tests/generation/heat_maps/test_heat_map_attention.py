import numpy as np
import pytest
import torch
from tiny_towers import KINDS, build, pixels
from torch.nn import functional as F

from lexel.generation.heat_maps.attention import attention_maps, recorded
from lexel.models.vision_transformer import VisionTransformer

ATTENDING = [kind for kind, config in KINDS.items() if config.image.kind == "vision_transformer"]


def tower_of(kind: str) -> VisionTransformer:
    tower = build(KINDS[kind]).image
    assert isinstance(tower, VisionTransformer)
    return tower


def directions(count: int, size: int) -> torch.Tensor:
    return F.normalize(torch.randn(count, size, generator=torch.Generator().manual_seed(5)), dim=-1)


@pytest.mark.parametrize("kind", ATTENDING)
def test_weights_times_values_are_what_the_tower_computed(kind):
    tower = tower_of(kind)
    with recorded(tower) as layers, torch.no_grad():
        tower(torch.from_numpy(pixels(build(KINDS[kind]), 1)))
    assert len(layers) == len(tower.blocks) + (tower.pool is not None)
    for heads in layers:
        weights, values = heads.weights(), heads.split(heads.value)
        mixed = (weights @ values).transpose(0, 1).flatten(1)
        torch.testing.assert_close(mixed, heads.mixed.view(mixed.shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ATTENDING)
def test_the_gradient_of_the_weights_is_that_of_finite_differences(kind):
    """dcosine/dA of one head of the last block, with the rest of the tower computed in float64."""
    tower = tower_of(kind).double()
    picture, text = (
        torch.from_numpy(pixels(build(KINDS[kind]), 1)).double(),
        directions(1, KINDS[kind].embedding).double()[0],
    )
    layer = len(tower.blocks) - 1
    with recorded(tower) as layers, torch.enable_grad():
        vector = F.normalize(tower(picture.requires_grad_()), dim=-1)[0]
        (gradient,) = torch.autograd.grad(text @ vector, [layers[layer].mixed])
    found = layers[layer].weight_gradients(gradient)
    weights, values = layers[layer].weights(), layers[layer].split(layers[layer].value)
    rng = np.random.default_rng(0)
    for _ in range(5):
        head, query, key = (int(rng.integers(size)) for size in weights.shape)
        step = 1e-5
        cosines = []
        for sign in (1, -1):
            changed = weights.double().clone()
            changed[head, query, key] += sign * step
            mixed = (changed @ values.double()).transpose(0, 1).flatten(1).view(layers[layer].mixed.shape)
            hook = tower.blocks[layer].attention.output.register_forward_pre_hook(lambda _, __, mixed=mixed: (mixed,))
            with torch.no_grad():
                cosines.append(float(text @ F.normalize(tower(picture), dim=-1)[0]))
            hook.remove()
        expected = (cosines[0] - cosines[1]) / (2 * step)
        assert float(found[head, query, key]) == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("kind", ATTENDING)
def test_there_is_a_map_for_each_text_and_the_tower_is_left_as_it_was(kind):
    clip = build(KINDS[kind])
    tower = clip.image
    assert isinstance(tower, VisionTransformer)
    picture, texts = torch.from_numpy(pixels(clip, 1)), directions(3, clip.config.embedding)
    with torch.no_grad():
        before = tower(picture)
    maps = attention_maps(tower, picture, texts)
    assert maps.shape == (3, 4, 4)
    assert bool((maps >= 0).all())
    assert not torch.equal(maps[0], maps[1])
    with torch.no_grad():
        assert torch.equal(tower(picture), before)
    assert all(parameter.grad is None for parameter in tower.parameters())
