"""Three processes that talk, and what they agree on."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from processes import together
from tiny import tiny_recipe

from lexel.data.pairs import ImageFile
from lexel.data.readers import read_source
from lexel.errors import LexelError, UsageError
from lexel.images import Preprocessing
from lexel.models.clip import CLIP, init_weights
from lexel.runtimes.torch import TorchRuntime
from lexel.tokenizer import Tokenizer
from lexel.training.distributed.shared_encoder import SharedEncoder
from lexel.training.distributed.world import World

COUNT = 3


def talk() -> dict[str, Any]:
    with World.join("cpu") as world:
        return {
            "rank": world.rank,
            "main": world.main,
            "once": world.once(lambda: f"found by {world.rank}"),
            "gather": world.gather(f"of {world.rank}"),
            "sum": world.sum(world.rank, 10 * world.rank, world.rank == 1),
            "share": list(world.share.of(10)),
            "tensors": world.tensors({"a": torch.tensor([1.5, 2.5]), "b": torch.tensor(7)} if world.main else {}),
        }


def refuse_together() -> None:
    with World.join("cpu") as world:
        world.once(lambda: refuse("no such picture"))


def refuse(reason: str) -> None:
    raise UsageError(reason)


def fail_alone() -> None:
    with World.join("cpu") as world:
        if world.rank == 1:
            raise OSError("the disk is full")
        world.sum(1)


def enter_where_it_is_taken() -> None:
    @contextmanager
    def taken():
        raise UsageError("somebody is there")
        yield

    with World.join("cpu") as world, world.main_in(taken):
        pass


def embed(source: list[Any], texts: list[str]) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str]], np.ndarray]:
    with World.join("cpu") as world:
        encoder = shared_encoder(world)
        return (*encoder.embed_readable(source), encoder.embed_texts(texts))


def shared_encoder(world: World) -> SharedEncoder:
    tokenizer = Tokenizer.train(["a red circle", "a blue square"], 300, 16)
    clip = CLIP(tiny_recipe().architecture(tokenizer.vocabulary_size, tokenizer.end_of_text))
    init_weights(clip, 0)
    size = clip.config.image.image_size
    preprocessing = Preprocessing(image_size=size)
    return SharedEncoder(TorchRuntime(clip), tokenizer, preprocessing, name="x", fingerprint="x", world=world)


PICTURES = [pair.picture for pair in read_source("scenes:10/train").pairs]
PICTURES[4] = ImageFile(Path("/nowhere/gone.png"))
TEXTS = ["a red circle", "a blue square", "a circle", "red"]


@pytest.fixture(scope="module")
def told() -> list[list[Any]]:
    jobs = [(talk, ()), (refuse_together, ()), (fail_alone, ()), (enter_where_it_is_taken, ())]
    jobs += [(embed, (PICTURES, TEXTS)), (embed, (PICTURES[:2], TEXTS[:1]))]
    return together(COUNT, jobs)


def test_all_hear_what_the_main_process_found_and_what_all_have(told):
    for rank, heard in enumerate(told[0]):
        assert heard["rank"] == rank
        assert heard["main"] is (rank == 0)
        assert heard["once"] == "found by 0"
        assert heard["gather"] == ["of 0", "of 1", "of 2"]
        assert heard["sum"] == [3, 30, 1]
        assert heard["tensors"]["a"].tolist() == [1.5, 2.5]
        assert heard["tensors"]["b"] == 7
    assert [place for heard in told[0] for place in heard["share"]] == list(range(10))


@pytest.mark.parametrize(("job", "said"), [(1, "no such picture"), (3, "somebody is there")])
def test_what_the_main_process_refuses_all_refuse_and_it_alone_says_so(told, job, said):
    main, *others = told[job]
    assert isinstance(main, UsageError)
    assert str(main) == said
    for other in others:
        assert isinstance(other, SystemExit)
        assert other.code == UsageError.exit_status


def test_when_one_process_fails_the_main_one_says_which_and_why(told):
    main, failed, other = told[2]
    assert isinstance(failed, OSError)
    assert isinstance(main, LexelError)
    assert "rocess 1 of 3" in str(main)
    assert "OSError: the disk is full" in str(main)
    assert isinstance(other, SystemExit)


@pytest.mark.parametrize(("job", "pictures", "texts"), [(4, PICTURES, TEXTS), (5, PICTURES[:2], TEXTS[:1])])
def test_a_shared_encoder_gives_every_process_what_one_alone_computes(told, job, pictures, texts):
    vectors, kept, bad, of_texts = embed(pictures, texts)  # in this one process
    for found in told[job]:
        np.testing.assert_allclose(found[0], vectors, atol=1e-6)
        assert found[1].tolist() == kept.tolist()
        assert found[2] == bad
        np.testing.assert_allclose(found[3], of_texts, atol=1e-6)


def test_one_process_alone_is_its_own_world():
    with World.join("cpu") as world:
        assert (world.rank, world.size, world.main, str(world)) == (0, 1, True, "cpu")
        assert world.once(lambda: 3) == 3
        assert world.gather("x") == ["x"]
        assert world.sum(2, True) == [2, 1]
        assert list(world.share.of(5)) == [0, 1, 2, 3, 4]
        assert not torch.distributed.is_initialized()
