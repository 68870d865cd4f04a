import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lexel.architectures.config import ConvNeXtConfig, ResNetConfig, TimmConfig, VisionTransformerConfig
from lexel.data.augment import Augmentation
from lexel.data.loader import BatchMaker, TrainingSource, load_batches
from lexel.data.order import Order
from lexel.data.readers import read_source
from lexel.errors import UsageError
from lexel.images import Preprocessing
from lexel.tokenizer import Tokenizer
from lexel.training.ramp import STAIRS, ImageSizes, Ramp
from lexel.training.recipe import Recipe

VISION = VisionTransformerConfig(image_size=64, patch_size=8, width=32, depth=1, heads=1, patch_dropout=0.1)


def test_by_itself_pictures_and_patches_are_whole_from_the_first_step_on() -> None:
    assert {Ramp().image_size(step, 50, VISION) for step in range(50)} == {64}
    assert {Ramp().patch_dropout(step, 50, VISION) for step in range(50)} == {0.1}


def test_pictures_grow_in_stairs_until_they_are_whole() -> None:
    ramp = Ramp(size_from=0.5, until=0.8)
    sizes = [ramp.image_size(step, 100, VISION) for step in range(100)]
    assert sizes == [32] * 20 + [40] * 20 + [48] * 20 + [56] * 20 + [64] * 20


def test_a_tower_without_patches_leaves_none_out() -> None:
    assert Ramp().patch_dropout(0, 8, ResNetConfig(image_size=64)) == 0


def test_fewer_and_fewer_patches_are_left_out() -> None:
    ramp = Ramp(patch_dropout_from=0.5, until=1.0)
    shares = [ramp.patch_dropout(step, 8, VISION) for step in range(8)]
    assert shares == pytest.approx([0.5, 0.5, 0.4, 0.4, 0.3, 0.3, 0.2, 0.1])


@given(
    size_from=st.floats(0.01, 1),
    until=st.floats(0.01, 1),
    steps=st.integers(1, 400),
    tower=st.sampled_from(
        [
            VISION,
            VISION.model_copy(update={"image_size": 68, "drop_remainder": True}),
            ResNetConfig(image_size=96),
            ConvNeXtConfig(image_size=224),
        ]
    ),
)
def test_every_size_is_one_that_the_tower_takes_and_none_is_smaller_than_before(
    size_from: float, until: float, steps: int, tower: VisionTransformerConfig | ResNetConfig | ConvNeXtConfig
) -> None:
    ramp = Ramp(size_from=size_from, until=until)
    sizes = [ramp.image_size(step, steps, tower) for step in range(steps)]
    cell = tower.patch_size if isinstance(tower, VisionTransformerConfig) else 32
    assert sizes == sorted(sizes)
    assert all(size == tower.image_size or (size % cell == 0 and 0 < size < tower.image_size) for size in sizes)
    assert len(set(sizes)) <= STAIRS + 1
    assert all(size == tower.image_size for step, size in enumerate(sizes) if step >= until * steps)


@pytest.mark.parametrize(
    ("tower", "ramp", "says"),
    [
        (
            TimmConfig(model="vit_tiny", image_size=64),
            Ramp(size_from=0.5),
            r"size_from: an image tower of kind timm takes pictures of one size only",
        ),
        (
            ResNetConfig(image_size=64),
            Ramp(patch_dropout_from=0.5),
            "patch_dropout_from: an image tower of kind resnet",
        ),
    ],
)
def test_what_the_tower_cannot_take_is_refused(tower: TimmConfig | ResNetConfig, ramp: Ramp, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        ramp.check(tower)


def test_a_recipe_with_such_a_ramp_is_refused_when_it_is_read() -> None:
    content = {"steps": 5, "data": {"sources": [{"source": "scenes:40"}]}}
    with pytest.raises(UsageError, match="has no patches to leave out"):
        Recipe.build(content, ["ramp.patch_dropout_from=0.5"])
    with pytest.raises(UsageError, match=r"ramp\.size_from"):
        Recipe.build(content, ["ramp.size_from=0"])
    assert Recipe.build(content, ["ramp.size_from=0.5"]).decisive()["ramp"]["size_from"] == 0.5


def maker(sizes: ImageSizes | None) -> BatchMaker:
    pairs = list(read_source("scenes:24/train").pairs)
    tokenizer = Tokenizer.train([caption for pair in pairs for caption in pair.captions] or ["a"], 300, 24)
    return BatchMaker(
        sources=[TrainingSource(pairs, 1.0, ("a {}",))],
        order=Order([len(pairs)], [1.0], seed=0),
        batch_size=4,
        tokenizer=tokenizer,
        preprocessing=Preprocessing(image_size=64),
        augmentation=Augmentation(),
        size_at=sizes,
    )


def test_each_batch_has_the_size_of_its_step_for_any_start_and_any_workers() -> None:
    ramped = maker(ImageSizes(Ramp(size_from=0.25, until=0.5), 10, VISION))
    whole = list(load_batches(ramped, start=0, stop=10, workers=0))
    assert [batch.pixels.shape[-1] for batch in whole if batch.pixels is not None] == [16, 16, 32, 40, 48] + [64] * 5
    rest = list(load_batches(ramped, start=3, stop=10, workers=2))
    for first, second in zip(whole[3:], rest, strict=True):
        assert first.keys == second.keys
        assert first.pixels is not None
        assert second.pixels is not None
        assert torch.equal(first.pixels, second.pixels)


def test_a_small_picture_shows_the_same_view() -> None:
    """The same crop and flip as without a ramp; only smaller."""
    small = maker(ImageSizes(Ramp(size_from=0.5, until=1.0), 10, VISION))[0].pixels
    large = maker(None)[0].pixels
    assert small is not None
    assert large is not None
    shrunk = torch.nn.functional.avg_pool2d(large.float(), 2)
    assert (shrunk - small.float()).abs().mean() < 6
