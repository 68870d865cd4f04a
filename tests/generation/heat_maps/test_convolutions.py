import pytest
import torch
from tiny_towers import KINDS, build, pixels
from torch.nn import functional as F

from lexel.generation.heat_maps import convolutions
from lexel.generation.heat_maps.convolutions import convolution_maps, pointing_stage

CONVOLUTIONAL = [kind for kind, config in KINDS.items() if config.image.kind in ("resnet", "convnext")]


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
def test_a_map_is_grad_cam_of_its_definition(kind, monkeypatch):
    monkeypatch.setattr(convolutions, "CELLS", 4)
    monkeypatch.setattr(convolutions, "COPIES", 1)
    monkeypatch.setattr(convolutions, "NOISE", 0.0)
    clip = build(KINDS[kind])
    tower, picture = clip.image, torch.from_numpy(pixels(clip, 1))
    text = F.normalize(torch.randn(KINDS[kind].embedding, generator=torch.Generator().manual_seed(5)), dim=-1)

    last = pointing_stage(tower, picture)
    cells = tower.stem(picture)
    after = list(tower.stages)
    while after:  # the tower in two halves, by hand
        stage = after.pop(0)
        cells = stage(cells)
        if stage is last:
            break
    leaf = cells.detach().requires_grad_()
    x = leaf
    for stage in after:
        x = stage(x)
    end = tower.pool(x) if kind == "resnet" else tower.projection(tower.final_norm(x.mean(dim=(2, 3))))
    F.cosine_similarity(end[0], text, dim=0).backward()
    assert leaf.grad is not None
    weights = leaf.grad[0].double().mean(dim=(1, 2))
    expected = torch.einsum("c,chw->hw", weights, leaf.detach()[0].double()).clamp(min=0)

    found = convolution_maps(tower, picture, text[None])[0].double()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.max()) + 1e-12)


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
def test_the_same_picture_gives_the_same_map_and_the_tower_is_left_as_it_was(kind):
    clip = build(KINDS[kind])
    picture = torch.from_numpy(pixels(clip, 1))
    texts = F.normalize(torch.randn(2, KINDS[kind].embedding, generator=torch.Generator().manual_seed(5)), dim=-1)
    first = convolution_maps(clip.image, picture, texts)
    assert torch.equal(first, convolution_maps(clip.image, picture, texts))
    assert first.shape[0] == 2
    assert bool((first >= 0).all())
    assert all(parameter.grad is None for parameter in clip.image.parameters())


@pytest.mark.parametrize(("cells", "stage"), [(8, 0), (4, 1), (2, 2), (1, 3), (99, 0)])
def test_the_deepest_stage_with_enough_cells_points(cells, stage, monkeypatch):
    monkeypatch.setattr(convolutions, "CELLS", cells)
    clip = build(KINDS["resnet"])
    assert pointing_stage(clip.image, torch.from_numpy(pixels(clip, 1))) is clip.image.stages[stage]
