import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import tiny_recipe

from lexel.data.pairs import EmbeddedImage, Pair, Source
from lexel.evaluation.embedded_source import EmbeddedSource
from lexel.training.distributed.world import World
from lexel.training.run.held_out_loss import held_out_loss


class KnownEncoder:
    """An encoder whose texts have given vectors, around a CLIP that is its temperature alone."""

    def __init__(self, vectors: dict[str, torch.Tensor], scale: float, bias: float | None = None) -> None:
        self.vectors = vectors
        self.world = World(0, 1, torch.device("cpu"))
        self.clip = self
        self.logit_scale = torch.tensor(scale).log()
        self.logit_bias = None if bias is None else torch.tensor(bias)

    def embed_texts(self, texts):
        return torch.stack([self.vectors[text] for text in texts]).numpy()


def held_out(captions: list[str], label: str | None = None) -> tuple[EmbeddedSource, dict[str, torch.Tensor]]:
    """Pairs with these captions, and with random vectors."""
    torch.manual_seed(0)
    pairs = [Pair(str(row), EmbeddedImage(b""), (caption,), label) for row, caption in enumerate(captions)]
    images = F.normalize(torch.randn(len(pairs), 6))
    vectors = {caption: F.normalize(torch.randn(6), dim=0) for caption in sorted(set(captions))}
    return EmbeddedSource(Source("made up", pairs), pairs, images.numpy(), []), vectors


def plain(embedded: EmbeddedSource, vectors: dict[str, torch.Tensor], scale: float) -> float:
    """The symmetric softmax loss in one batch; equal captions share the target."""
    captions = [pair.captions[0] for pair in embedded.pairs]
    logits = scale * torch.from_numpy(embedded.vectors) @ torch.stack([vectors[caption] for caption in captions]).T
    right = torch.tensor([[a == b for b in captions] for a in captions]).float()
    target = right / right.sum(1, keepdim=True)
    return float(-(target * (logits.log_softmax(1) + logits.T.log_softmax(1))).sum() / len(captions) / 2)


def test_it_is_the_loss_of_all_pairs_where_they_are_fewer_than_a_batch():
    embedded, vectors = held_out(["a", "b", "c", "d", "b"])
    found = held_out_loss(KnownEncoder(vectors, 9.0), embedded, tiny_recipe())  # pyright: ignore[reportArgumentType]
    assert found == pytest.approx(plain(embedded, vectors, 9.0), rel=1e-5)


def test_batches_are_as_large_as_those_of_the_training():
    embedded, vectors = held_out([str(row) for row in range(50)])
    uniform = KnownEncoder(dict.fromkeys(vectors, torch.ones(6) / 6**0.5), 9.0)
    recipe = tiny_recipe(("batch_size=16",))
    images = EmbeddedSource(embedded.source, embedded.pairs, np.full_like(embedded.vectors, 6**-0.5), [])
    assert held_out_loss(uniform, images, recipe) == pytest.approx(np.log(16), rel=1e-5)  # pyright: ignore[reportArgumentType]


def test_every_call_is_about_the_same_pairs_and_captions():
    embedded, vectors = held_out([str(row) for row in range(40)])
    encoder = KnownEncoder(vectors, 9.0)
    assert len({held_out_loss(encoder, embedded, tiny_recipe()) for _ in range(3)}) == 1  # pyright: ignore[reportArgumentType]


def test_a_recipe_with_the_sigmoid_loss_is_measured_by_it():
    embedded, vectors = held_out(["a", "b", "c"])
    encoder = KnownEncoder(vectors, 9.0, bias=-2.0)
    found = held_out_loss(encoder, embedded, tiny_recipe(("loss.kind=sigmoid",)))  # pyright: ignore[reportArgumentType]
    texts = torch.stack([vectors[pair.captions[0]] for pair in embedded.pairs])
    logits = 9.0 * torch.from_numpy(embedded.vectors) @ texts.T - 2.0
    expected = -F.logsigmoid(logits * (2 * torch.eye(3) - 1)).sum() / 3
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_the_loss_on_held_out_pairs_is_in_the_log(tiny_run):
    from lexel.training.run.log import read_log

    losses = [line["evaluation"]["loss"] for line in read_log(tiny_run.folder) if "evaluation" in line]
    assert len(losses) == 2
    assert all(1 < loss < 4 for loss in losses)  # about log 16 for a model that knows nothing
