import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_up import recipe
from torch import Tensor, nn

from lexel.architectures.config import CLIPConfig, TextTransformerConfig, TimmConfig, VisionTransformerConfig
from lexel.images import Preprocessing
from lexel.models.clip import CLIP, init_weights
from lexel.training.planning.memory import (
    DeviceMemory,
    image_activations,
    pair_activations,
    step_memory,
    text_activations,
)
from lexel.training.step.contrastive import ContrastiveObjective
from lexel.training.step.micro_batch import bytes_of_a_pair

BATCH = 4


def config(width: int = 128, depth: int = 4, pooling: str = "class") -> CLIPConfig:
    image = VisionTransformerConfig.model_validate(
        {"image_size": 128, "patch_size": 8, "width": width, "depth": depth, "heads": 4, "pooling": pooling}
    )
    text = TextTransformerConfig(
        context_length=77, vocabulary_size=99, end_of_text=98, width=width, depth=depth, heads=4
    )
    return CLIPConfig(embedding=64, image=image, text=text)


def kept_by_autograd(tower: nn.Module, example: Tensor, number_bytes: int) -> int:
    """Bytes of all that a forward pass in bfloat16 (2 bytes) or float32 (4) keeps for the backward pass.

    Weights and their copies are left out.

    What the tower is given is held by whoever gives it, so it is counted. In evaluation mode, in which
    attention goes through the kernel that a GPU uses.
    """
    weights = {parameter.untyped_storage().data_ptr() for parameter in tower.parameters()}
    shapes = {tuple(parameter.shape) for parameter in tower.parameters()}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []  # so that no address is given twice

    def note(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        storage = tensor.untyped_storage()
        copied = tensor.dtype == torch.bfloat16 and {tuple(tensor.shape), tuple(tensor.shape[::-1])} & shapes
        if storage.data_ptr() not in weights and not copied:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    lower = torch.autocast("cpu", torch.bfloat16, enabled=number_bytes == 2)
    with lower, torch.autograd.graph.saved_tensors_hooks(note, lambda kept: kept):
        tower.eval()(example)
    return sum(kept.values()) + (example.nbytes if example.is_floating_point() and number_bytes == 2 else 0)


@pytest.mark.parametrize("width", [64, 192])
@pytest.mark.parametrize("depth", [2, 5])
@pytest.mark.parametrize("pooling", ["class", "mean"])
@pytest.mark.parametrize("number_bytes", [2, 4])
def test_activations_are_what_autograd_keeps(width, depth, pooling, number_bytes):
    chosen = config(width, depth, pooling)
    clip = CLIP(chosen)
    init_weights(clip, 0)
    images = kept_by_autograd(clip.image, torch.randn(BATCH, 3, 128, 128), number_bytes)
    assert BATCH * image_activations(chosen.image, 128, 0.0, False, number_bytes) == pytest.approx(images, rel=0.04)
    captions = kept_by_autograd(clip.text, torch.ones(BATCH, 77, dtype=torch.int64), number_bytes)
    assert BATCH * text_activations(chosen.text, 77, False, number_bytes) == pytest.approx(captions, rel=0.04)


def tower(**fields: int) -> dict[str, int]:
    return {"width": 64, "depth": 1, "heads": 1} | fields


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ({"image_size": 64, "patch_size": 8} | tower(width=192, depth=6, heads=3), tower(width=192, depth=6, heads=3)),
        ({"image_size": 224, "patch_size": 32} | tower(width=768, depth=3, heads=12), tower()),
        ({"image_size": 32, "patch_size": 32} | tower(), tower(width=256, depth=4, heads=4)),
    ],
    ids=["small", "ViT-B/32 of three blocks", "256x4 for texts"],
)
def test_a_pair_takes_what_is_found_by_trying(image, text):
    of_image, of_text = (
        VisionTransformerConfig.model_validate(image),
        TextTransformerConfig.model_validate(text | {"vocabulary_size": 99, "end_of_text": 98}),
    )
    clip = CLIP(CLIPConfig(embedding=64, image=of_image, text=of_text))
    objective = ContrastiveObjective(clip, recipe(2), Preprocessing(image_size=of_image.image_size), 10)
    tried = bytes_of_a_pair(objective, lambda: torch.autocast("cpu", torch.bfloat16), torch.device("cpu"))
    estimated = image_activations(of_image, of_image.image_size, 0.0, False) + text_activations(of_text, 77, False)
    assert estimated == pytest.approx(tried, rel=0.2)


CONVOLUTIONAL = {
    "resnet": {"kind": "resnet", "image_size": 64, "width": 16, "depths": [1, 1, 1, 1], "heads": 8},
    "convnext": {"kind": "convnext", "image_size": 64, "width": 16, "depths": [1, 1, 2, 1]},
}


def convolutional(kind: str) -> CLIPConfig:
    text = TextTransformerConfig(context_length=8, vocabulary_size=99, end_of_text=98, width=32, depth=1, heads=1)
    return CLIPConfig.model_validate({"embedding": 64, "image": CONVOLUTIONAL[kind], "text": text})


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
@pytest.mark.parametrize("number_bytes", [2, 4])
def test_a_convolutional_tower_keeps_what_is_traced_without_computing(kind, number_bytes):
    chosen = convolutional(kind)
    clip = CLIP(chosen)
    init_weights(clip, 0)
    kept: list[int] = []
    for rows in (2, 4):
        storages: dict[int, int] = {}

        def note(tensor: Tensor, storages: dict[int, int] = storages) -> Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        pixels = torch.zeros(rows, 3, 64, 64)
        lower = torch.autocast("cpu", torch.bfloat16, enabled=number_bytes == 2)
        with lower, torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            alive = clip.image.train()(pixels)
        kept.append(sum(storages.values()))
        del alive
    estimated = pair_activations(chosen, image=True, text=False, checkpoint=False, number_bytes=number_bytes)
    assert estimated == pytest.approx((kept[1] - kept[0]) / 2, rel=0.01)


def test_a_frozen_tower_keeps_nothing_and_an_unknown_one_is_not_guessed():
    chosen = convolutional("resnet")
    whole, image, text = (
        pair_activations(chosen, image=image, text=text, checkpoint=False)
        for image, text in ((True, True), (True, False), (False, True))
    )
    assert whole == image + text
    assert pair_activations(chosen, image=False, text=False, checkpoint=False) == 0
    unknown = chosen.model_copy(update={"image": TimmConfig(model="vit_tiny_patch16_224", image_size=224)})
    assert pair_activations(unknown, image=True, text=True, checkpoint=False) is None
    assert pair_activations(unknown, image=False, text=True, checkpoint=False) == text


def test_checkpointing_keeps_few_activations_of_a_convnext_and_all_of_a_resnet():
    convnext, resnet = (
        [pair_activations(convolutional(kind), image=True, text=False, checkpoint=again) for again in (False, True)]
        for kind in ("convnext", "resnet")
    )
    assert convnext[1] < 0.4 * convnext[0]
    assert resnet[1] == resnet[0]


def test_checkpointing_keeps_little_more_than_what_goes_into_each_block():
    image = config(depth=24).image
    assert image_activations(image, 128, 0.0, True) < image_activations(image, 128, 0.0, False) / 5


def test_dropped_patches_take_no_memory():
    image = config().image
    whole, half = (image_activations(image, 128, share, False) for share in (0.0, 0.5))
    assert half < 0.55 * whole


def memory(**changes: object) -> DeviceMemory:
    stated = {
        "activations_per_pair": 1e6,
        "micro_batch": 64,
        "local_batch": 256,
        "batch_size": 1024,
        "processes": 4,
        "sharded": False,
        "averaged": False,
    }
    return step_memory(config(), 10_000_000, 8_000_000, **(stated | changes))


def test_weights_gradients_and_moments_are_counted_by_the_byte():
    """Weights in float32 and in bfloat16; gradient and two moments in float32 of what is learned."""
    held = memory()
    assert (held.weights, held.gradients, held.optimizer, held.average) == (60e6, 32e6, 64e6, 0)
    assert held.activations == 64e6
    assert memory(averaged=True).average == 32e6


def test_sharding_divides_what_belongs_to_the_weights_and_nothing_else():
    whole, sharded = memory(averaged=True), memory(averaged=True, sharded=True)
    for part in ("weights", "gradients", "optimizer", "average"):
        assert getattr(sharded, part) == getattr(whole, part) / 4
    for part in ("activations", "batch", "loss"):
        assert getattr(sharded, part) == getattr(whole, part)


@given(small=st.integers(1, 200), more=st.integers(1, 200))
def test_a_larger_micro_batch_never_takes_less(small, more):
    assert memory(micro_batch=small).total < memory(micro_batch=small + more).total + 1e6


def test_the_loss_grows_with_the_batch_and_not_with_its_square():
    small, large = memory(batch_size=32_768), memory(batch_size=65_536)
    assert large.loss < 2.1 * small.loss
