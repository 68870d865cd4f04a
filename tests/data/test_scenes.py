"""`scenes:N` as a source: its grammar, its keys and labels, and that a scene is the same everywhere and always."""

import hashlib
import pickle
import subprocess
import sys

import pytest

from lexel.data.scenes import all_labels, held_out_labels, read_scenes
from lexel.errors import UsageError

FINGERPRINT = """
import hashlib
from lexel.data.scenes import read_scenes
digest = hashlib.sha256()
for pair in read_scenes("scenes:60/val?seed=5").pairs:
    digest.update(repr(pair).encode() + pair.picture.load().tobytes())
print(digest.hexdigest())
"""


def test_scenes_are_the_same_in_every_process():
    run = [sys.executable, "-c", FINGERPRINT]
    digests = {subprocess.run(run, capture_output=True, text=True, check=True).stdout for _ in range(2)}
    here = hashlib.sha256()
    for pair in read_scenes("scenes:60/val?seed=5").pairs:
        here.update(repr(pair).encode() + pair.picture.load().tobytes())
    assert digests == {here.hexdigest() + "\n"}


def test_a_scene_does_not_depend_on_how_many_are_read_or_in_which_order():
    few, many = read_scenes("scenes:5").pairs, read_scenes("scenes:50").pairs
    assert list(few) == list(many[:5])
    last_first = [pair.picture.load().tobytes() for pair in reversed(few)]
    assert last_first[::-1] == [pair.picture.load().tobytes() for pair in few]


@pytest.mark.parametrize("other", ["scenes:30/train?seed=1", "scenes:30/val"])
def test_another_seed_or_split_gives_other_scenes(other):
    first, second = read_scenes("scenes:30").pairs, read_scenes(other).pairs
    assert sum(a.captions == b.captions for a, b in zip(first, second, strict=True)) < 3
    assert all(a.picture.load().tobytes() != b.picture.load().tobytes() for a, b in zip(first, second, strict=True))


def test_a_scene_survives_pickling_and_is_small():
    pair = read_scenes("scenes:3/test").pairs[2]
    assert len(pickle.dumps(pair.picture)) < 200
    copy = pickle.loads(pickle.dumps(pair))
    assert copy == pair
    assert copy.picture.load().tobytes() == pair.picture.load().tobytes()


def test_pictures_are_square_rgb():
    picture = read_scenes("scenes:1").pairs[0].picture.load()
    assert (picture.mode, picture.size) == ("RGB", (64, 64))


@pytest.mark.parametrize(
    ("text", "count", "split"),
    [
        ("scenes:7", 7, "train"),
        ("scenes:7/train", 7, "train"),
        ("scenes:8/val?seed=3", 8, "val"),
        ("scenes:9?seed=4294967295", 9, "train"),
        ("scenes:1/test", 1, "test"),
    ],
)
def test_a_source_is_named_as_the_user_wrote_it(text, count, split):
    source = read_scenes(text)
    assert (source.name, len(source.pairs), source.split) == (text, count, split)
    assert [pair.key for pair in source.pairs] == [f"{split}/{i:06d}" for i in range(count)]
    assert f"{count:,} scenes" in source.notes[0]


def test_the_seed_is_0_unless_given():
    assert list(read_scenes("scenes:5?seed=0").pairs) == list(read_scenes("scenes:5").pairs)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scenes:", "Write scenes:N"),
        ("scenes:many", "Write scenes:N"),
        ("scenes:-3", "Write scenes:N"),
        ("scenes:5?sed=1", "Write scenes:N"),
        ("scenes:5?seed=1/val", "Write scenes:N"),
        ("scenes:" + "9" * 5000, "Write scenes:N"),
        ("scenes:5/tset", 'Did you mean "test"?'),
        ("scenes:0", "1 to 1,000,000"),
        ("scenes:1000001", "1 to 1,000,000"),
        ("scenes:5?seed=4294967296", "below 4,294,967,296"),
    ],
)
def test_wrong_texts_are_refused_with_what_is_meant(text, said):
    with pytest.raises(UsageError) as refusal:
        read_scenes(text)
    assert said in str(refusal.value)
    assert len(str(refusal.value).splitlines()) <= 3


def test_single_kinds_are_labelled_and_two_kinds_are_not():
    pairs = read_scenes("scenes:2000").pairs
    for pair in pairs:
        assert (pair.label is None) == (pair.picture.world().other is not None)
    assert 0.15 < sum(pair.label is None for pair in pairs) / len(pairs) < 0.25


def test_the_test_split_has_all_held_out_labels_and_no_other():
    assert read_scenes("scenes:1000/test").labels == held_out_labels()


@pytest.mark.parametrize("split", ["train", "val"])
def test_train_and_val_have_all_the_other_labels(split):
    assert read_scenes(f"scenes:2000/{split}").labels == sorted(set(all_labels()) - set(held_out_labels()))


def test_reading_draws_nothing(monkeypatch):
    def draw(*_: object) -> None:
        raise AssertionError("a scene was drawn before its pixels were asked for")

    monkeypatch.setattr("lexel.data.scenes.source.draw", draw)
    pairs = read_scenes("scenes:200?seed=77").pairs  # not drawn before, and so in no cache
    assert len(pairs) == 200
    with pytest.raises(AssertionError, match="before its pixels"):
        pairs[0].picture.load()


def test_a_source_names_all_the_splits_that_there_are():
    source = read_scenes("scenes:10")
    assert (source.split, source.splits) == ("train", ("train", "val", "test"))
