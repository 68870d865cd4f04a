import pytest
from tiny import tiny_recipe
from torch import nn

from lexel.architectures.config import CLIPConfig, ConvNeXtConfig
from lexel.models.clip import CLIP
from lexel.training.optimization.parameter_groups import Group, parameter_groups


def make_clip(architecture: str = "lexel-xs", **image: object) -> CLIP:
    return CLIP(tiny_recipe(model={"architecture": architecture, "image": image}).architecture())


def group_of(clip: CLIP, **settings: object) -> dict[str, Group]:
    """The group of every parameter, by name; `by_muon` says whose."""
    both = parameter_groups(clip, **{"muon": False, "weight_decay": 0.1, "layer_decay": 1.0} | settings)
    names = {parameter: name for name, parameter in clip.named_parameters()}
    found = [
        (names[parameter], group | {"by_muon": by_muon})
        for by_muon, groups in zip((False, True), both, strict=True)
        for group in groups
        for parameter in group["params"]
    ]
    assert len({name for name, _ in found}) == len(found)
    return dict(found)


def test_norms_biases_embeddings_and_scale_do_not_decay():
    clip = make_clip(pooling="class")
    found = group_of(clip)
    assert found.keys() == dict(clip.named_parameters()).keys()
    free = {name for name, group in found.items() if group["weight_decay"] == 0}
    for name in (
        "logit_scale",
        "text.token_embedding.weight",
        "text.position_embedding",
        "image.position_embedding",
        "image.class_embedding",
    ):
        assert name in free
    assert {name for name, parameter in clip.named_parameters() if parameter.ndim < 2} <= free
    assert all(name.endswith("weight") for name in found.keys() - free)
    assert {group["weight_decay"] for group in found.values()} == {0, 0.1}


def test_the_rate_falls_with_each_block_from_the_top():
    found = group_of(make_clip(depth=3), layer_decay=0.5)
    shares = [found[f"image.blocks.{block}.attention.qkv.weight"]["share"] for block in range(3)]
    assert shares == pytest.approx([0.125, 0.25, 0.5])
    assert found["image.position_embedding"]["share"] == pytest.approx(0.0625)
    assert found["text.token_embedding.weight"]["share"] == pytest.approx(0.125)  # two blocks
    assert found["text.projection.weight"]["share"] == found["logit_scale"]["share"] == 1


def test_what_is_frozen_is_in_no_group():
    clip = make_clip()
    clip.image.requires_grad_(False)
    assert not any(name.startswith("image") for name in group_of(clip, muon=True))


def test_without_layer_decay_there_are_two_groups_and_they_move_at_the_full_rate():
    for_adamw, for_muon = parameter_groups(make_clip(), muon=False, weight_decay=0.1, layer_decay=1.0)
    assert [group["share"] for group in for_adamw] == [1, 1]
    assert not for_muon


@pytest.mark.parametrize(("architecture", "blocks"), [("lexel-xs", ".blocks."), ("lexel-s", ".stages.")])
def test_muon_takes_what_mixes_channels_within_blocks(architecture, blocks):
    clip = make_clip(architecture)
    by_muon = {name for name, group in group_of(clip, muon=True).items() if group["by_muon"]}
    inside = {
        f"{name}.weight"
        for name, module in clip.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and (blocks in name or ".blocks." in name)
    }
    assert by_muon == inside
    assert {name.partition(".")[0] for name in inside} == {"image", "text"}


def test_muon_leaves_convolutions_that_keep_channels_apart_to_adamw():
    clip = CLIP(CLIPConfig(embedding=32, image=ConvNeXtConfig(image_size=32, width=16, depths=(1, 1, 1, 1))))
    found = group_of(clip, muon=True)
    apart = [
        f"{name}.weight" for name, module in clip.named_modules() if isinstance(module, nn.Conv2d) and module.groups > 1
    ]
    assert apart
    assert not any(found[name]["by_muon"] for name in apart)
