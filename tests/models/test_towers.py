import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from tiny_towers import KINDS, bert
from torch import nn

from lexel.architectures.config import ConvNeXtConfig, ResNetConfig, TimmConfig, VisionTransformerConfig
from lexel.models.clip import CLIP
from lexel.models.timm import TimmTower
from lexel.models.towers import Tower


class TwoBlocks(Tower):
    """A tower that answers nothing but what its blocks are."""

    def __init__(self) -> None:
        super().__init__("two_blocks")
        self.stem, self.first, self.between = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
        self.second, self.head = nn.Linear(2, 2), nn.Linear(2, 2)

    def blocks_in_order(self) -> list[nn.Module]:
        return [self.first, self.second]


def test_layers_are_counted_in_the_order_in_which_a_tower_is_built():
    layers = TwoBlocks().parameter_layers()
    assert layers is not None
    assert layers.top == 3
    assert {name.partition(".")[0]: layer for name, layer in layers.layer_of.items()} == {
        "stem": 0,
        "first": 1,
        "between": 1,
        "second": 2,
        "head": 3,
    }


def test_a_tower_that_says_nothing_is_neither_cut_nor_compiled_nor_recomputed():
    tower = Tower("plain")
    assert (tower.blocks_in_order(), tower.parameter_layers(), tower.name) == ([], None, "plain")
    assert (tower.can_compile, tower.can_checkpoint, tower.is_of_another_library) == (False, False, False)
    with pytest.raises(NotImplementedError, match="kind plain"):
        tower.compile_training()


@pytest.mark.parametrize(
    ("kind", "image", "text"),
    [("clip", 2, 2), ("siglip", 2, 2), ("coca", 2, 2), ("convnext", 5, 2), ("resnet", 4, 2)],
)
def test_each_tower_names_its_blocks_and_all_of_them_are_run(kind, image, text):
    clip = CLIP(KINDS[kind]).eval()
    assert [len(tower.blocks_in_order()) for tower in clip.towers.values()] == [image, text]
    run: list[nn.Module] = []
    for tower in clip.towers.values():
        for block in tower.blocks_in_order():
            block.register_forward_pre_hook(lambda block, _: run.append(block))
    clip(torch.zeros(1, 3, 32, 32), torch.tensor([[1, 2]]))
    assert run == [*clip.text.blocks_in_order(), *clip.image.blocks_in_order()]  # as they are called, bottom up


def test_which_towers_can_be_compiled_and_recomputed():
    can = {kind: CLIP(KINDS[kind]).towers for kind in ("clip", "siglip", "convnext", "resnet")}
    compiled = {kind: [tower.can_compile for tower in towers.values()] for kind, towers in can.items()}
    assert compiled == {
        "clip": [True, False],
        "siglip": [True, True],
        "convnext": [False, False],
        "resnet": [False, False],
    }
    assert [kind for kind, towers in can.items() if towers["image"].can_checkpoint] == ["clip", "siglip", "convnext"]


def test_a_tower_of_transformers_is_cut_into_its_layers():
    pytest.importorskip("transformers")
    text = CLIP(bert()).text
    assert text.is_of_another_library
    assert text.name == "bert"
    assert [type(block).__name__ for block in text.blocks_in_order()] == ["BertLayer"]


def test_what_sizes_and_patches_a_tower_takes():
    vision = VisionTransformerConfig(image_size=36, patch_size=8, drop_remainder=True, patch_dropout=0.25)
    assert (vision.cell, vision.final_patch_dropout) == (8, 0.25)
    assert [vision.patches(size) for size in (32, 36, 48, 8)] == [16, 16, 36, 1]
    for other in (ResNetConfig(), ConvNeXtConfig()):
        assert (other.cell, other.final_patch_dropout, other.patches(224)) == (32, 0.0, 0)
    assert TimmConfig(model="vit_tiny", image_size=64).cell is None


class Trunk(nn.Module):
    """What is asked of a timm model."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.blocks, self.head = nn.Linear(2, 2), nn.ModuleList([nn.Linear(2, 2)]), nn.Linear(2, 2)

    def group_matcher(self, coarse: bool) -> object:
        return None if coarse else {"stem": 0, "blocks.0": 1, "head": 2}


@pytest.mark.parametrize(("projection", "head", "top"), [("trunk", 2, 2), ("linear", 2, 3)])
def test_timms_own_grouping_is_followed(monkeypatch, projection, head, top):
    def group_parameters(module: nn.Module, matcher: dict[str, int], reverse: bool) -> dict[str, int]:
        assert reverse
        return {name: matcher[name.rpartition(".")[0]] for name, _ in module.named_parameters()}

    monkeypatch.setitem(sys.modules, "timm", ModuleType("timm"))
    monkeypatch.setitem(sys.modules, "timm.models", SimpleNamespace(group_parameters=group_parameters))
    tower = timm_tower(projection, Trunk())
    layers = tower.parameter_layers()
    assert layers is not None
    assert [layers.layer_of[f"trunk.{name}.weight"] for name in ("stem", "blocks.0", "head")] == [0, 1, head]
    assert layers.top == top
    assert projection == "trunk" or layers.layer_of["projection.weight"] == 3
    assert tower.blocks_in_order() == list(tower.trunk.blocks)


def timm_tower(projection: str, trunk: nn.Module) -> TimmTower:
    tower = TimmTower.__new__(TimmTower)
    nn.Module.__init__(tower)
    tower.config = TimmConfig(model="made_up", image_size=64, projection=projection)
    tower.trunk = trunk
    tower.projection = nn.Identity() if projection == "trunk" else nn.Linear(2, 2)
    return tower


def test_a_timm_model_that_does_not_group_its_layers_has_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", ModuleType("timm"))
    monkeypatch.setitem(sys.modules, "timm.models", SimpleNamespace(group_parameters=None))
    tower = timm_tower("linear", nn.Linear(2, 2))
    assert tower.parameter_layers() is None
    assert (tower.name, tower.blocks_in_order()) == ("made_up", [])
