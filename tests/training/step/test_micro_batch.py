import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_up import ALONE, batch, clip_of, gradients_for, objective_of, recipe
from processes import together
from tiny import tiny_recipe
from tiny_towers import KINDS, build, image, text, write_folder

from lexel.architectures.config import CLIPConfig
from lexel.errors import UsageError
from lexel.models.clip import CLIP
from lexel.training.inputs.input_reader import InputReader
from lexel.training.setup import read_material
from lexel.training.step import micro_batch
from lexel.training.step.micro_batch import bytes_of_a_pair, cut, micro_batch_for
from lexel.training.trainer import train

CPU = torch.device("cpu")


def no_autocast() -> torch.autocast:
    return torch.autocast("cpu", enabled=False)


def bytes_of(clip: CLIP) -> float:
    return bytes_of_a_pair(objective_of(clip, recipe(8)), no_autocast, CPU)


def micro_batch_of(clip: CLIP, rows: int, *, recomputed: bool = False) -> int:
    return micro_batch_for(objective_of(clip, recipe(8)), no_autocast, rows, CPU, recomputed=recomputed)


@given(nominal=st.integers(1, 300), lost=st.integers(0, 300), largest=st.integers(1, 300))
def test_parts_cover_all_rows_evenly_and_their_number_does_not_depend_on_bad_pictures(nominal, lost, largest):
    rows = max(0, nominal - lost)
    parts = cut(rows, nominal, largest)
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(rows))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) <= min(largest, nominal)
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == len(cut(nominal, nominal, largest))


def test_what_a_pair_needs_is_what_autograd_keeps_of_it():
    """A linear model of the block by hand: what each of its operations keeps for its backward pass."""
    clip = clip_of(CLIPConfig(embedding=24, image=image(depth=2), text=text(depth=2)), torch.float32)
    deeper = clip_of(CLIPConfig(embedding=24, image=image(depth=4), text=text(depth=2)), torch.float32)
    two_blocks = bytes_of(deeper) - bytes_of(clip)
    tokens, width = 16 + 1, 32
    # norm's input, its output, q k v, what was mixed, norm's input, its output, before and after GELU
    numbers = tokens * width * (1 + 1 + 3 + 1 + 1 + 1 + 4 + 4)
    assert two_blocks == pytest.approx(2 * 4 * numbers, rel=0.15)


def test_the_micro_batch_is_a_power_of_two_that_fits_or_the_whole(monkeypatch):
    clip = clip_of(KINDS["clip"], torch.float32)
    fixed = 22 * sum(parameter.numel() for parameter in clip.parameters())
    each = bytes_of(clip)
    for room, expected in ((1.5, 1), (15.9, 8), (16.1, 16), (99, 64), (100, 100), (1e6, 100), (-50, 1)):
        monkeypatch.setattr(micro_batch, "usable_memory", lambda _, room=room: fixed + room * each)
        assert micro_batch_of(clip, 100) == expected


def test_computing_activations_again_lets_more_through_at_once(monkeypatch):
    clip = clip_of(CLIPConfig(embedding=24, image=image(depth=8), text=text(depth=8)), torch.float32)
    fixed = 22 * sum(parameter.numel() for parameter in clip.parameters())
    monkeypatch.setattr(micro_batch, "usable_memory", lambda _: fixed + 16.1 * bytes_of(clip))
    assert micro_batch_of(clip, 1000) == 16
    assert micro_batch_of(clip, 1000, recomputed=True) == 64


def test_a_container_gets_no_more_than_its_limit(tmp_path, monkeypatch):
    assert micro_batch.host_memory() > 0
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(micro_batch, "Path", lambda _: limit)
    limit.write_text("12345\n")
    assert micro_batch.host_memory() == 12345
    limit.write_text("max\n")
    assert micro_batch.host_memory() > 12345


LEXEL_S = {"architecture": "lexel-s"}
NOT_THERE = {"sources": [{"source": "not/there"}]}


def test_batch_norm_over_parts_is_refused_before_the_source_is_read(tmp_path):
    parts = tiny_recipe(("micro_batch=4", "batch_size=8"), model=LEXEL_S, data=NOT_THERE)
    with pytest.raises(UsageError, match=r"resnet.*BatchNorm.*2 parts here\.\n.*freeze the tower") as caught:
        read_material(parts, ALONE, InputReader())
    assert str(caught.value).count("\n") < 3


@pytest.mark.parametrize(
    ("architecture", "said"), [("lexel-s", r"BatchNorm.*2 processes"), ("lexel-xs", "no not/there")]
)
def test_batch_norm_over_processes_is_refused_before_the_source_is_read(tmp_path, architecture, said):
    main, other = together(2, [(train, (tiny_recipe(model={"architecture": architecture}, data=NOT_THERE), tmp_path))])[
        0
    ]
    assert isinstance(main, UsageError)
    assert re.search(said, str(main))
    assert isinstance(other, SystemExit)  # without a word


def test_a_frozen_tower_with_batch_norm_may_see_parts(tmp_path):
    clip = build(KINDS["resnet"])
    weights = write_folder(tmp_path / "model", clip)
    frozen = tiny_recipe(
        ("micro_batch=4", "freeze.image=true"), model={"weights": str(weights)}, tokenizer={}, data=NOT_THERE
    )
    with pytest.raises(UsageError, match="no not/there"):
        read_material(frozen, ALONE, InputReader())


def test_batch_norm_over_the_whole_batch_is_fine_and_a_frozen_one_in_parts_too(monkeypatch):
    clip = clip_of(KINDS["resnet"], torch.float32)
    monkeypatch.setattr(micro_batch, "usable_memory", lambda _: 0)  # "auto" does not cut it up either
    assert gradients_for(clip, recipe(8)).micro_batch == 8
    clip.image.requires_grad_(False)
    before = {name: buffer.clone() for name, buffer in clip.named_buffers()}
    gradients_for(clip.train(), recipe(8, micro_batch=4))(batch(8), 0)
    assert all(torch.equal(buffer, before[name]) for name, buffer in clip.named_buffers())
