import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.data import compact_pairs
from lexel.data.compact_pairs import CompactPairs
from lexel.data.pairs import EmbeddedImage, ImageFile, Pair, ShardImage, TableImage, choose
from lexel.data.readers import read_source

NAMES = st.text(st.characters(blacklist_characters="/\0"), min_size=1, max_size=6).filter(
    lambda n: n not in (".", "..")
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([Path(*parts), Path("/", *parts), Path("..", *parts)])
)
NUMBERS = st.integers(0, 2**31 - 1)
PICTURES = st.one_of(
    PATHS.map(ImageFile),
    st.binary(max_size=5).map(EmbeddedImage),
    st.builds(TableImage, PATHS, NUMBERS, NUMBERS, NAMES),
    st.builds(ShardImage, PATHS, NUMBERS, NUMBERS),
)
TEXTS = st.text(st.characters(), max_size=8)  # halves of surrogate pairs too, as file names have them
PAIRS = st.builds(
    Pair,
    TEXTS,
    PICTURES,
    st.lists(TEXTS, max_size=3).map(tuple),
    st.none() | TEXTS,
    st.none() | st.dictionaries(TEXTS, st.integers()),
    st.just(()) | st.tuples(st.floats(0.1, 1)),
)


@given(st.lists(PAIRS, max_size=8))
def test_compact_pairs_are_the_pairs_that_they_were_made_of(pairs):
    stored = CompactPairs(pairs)
    assert list(stored) == pairs
    assert [pair.extras for pair in stored] == [pair.extras for pair in pairs]
    assert list(pickle.loads(pickle.dumps(stored))) == pairs
    assert list(stored[1::2]) == pairs[1::2]
    assert [stored[-number] for number in range(1, len(pairs) + 1)] == pairs[::-1]
    assert list(choose(stored, range(0, len(pairs), 3))) == pairs[::3]
    with pytest.raises(IndexError):
        stored[len(pairs)]


def test_a_large_table_is_read_into_the_pairs_of_a_list(tmp_path, monkeypatch):
    for number in range(12):
        (tmp_path / f"{number}.png").write_bytes(b"never opened")
    rows = [f"{number % 12}.png,caption {number},{'cat' if number % 2 else 'dog'}" for number in range(24)]
    (tmp_path / "t.csv").write_text("\n".join(["file_name,caption,label", *rows]))
    listed = read_source(str(tmp_path / "t.csv")).pairs
    monkeypatch.setattr(compact_pairs, "FEWEST_COMPACT", 12)
    stored = read_source(str(tmp_path / "t.csv")).pairs
    assert isinstance(listed, list)
    assert isinstance(stored, CompactPairs)
    assert list(stored) == listed


def test_a_pair_takes_little_more_than_its_texts():
    count = 20_000
    stored = CompactPairs(
        [
            Pair(f"{row:08}.jpg", ImageFile(Path(f"/photos/{row % 100:02}/{row:08}.jpg")), ("a dog on a beach",))
            for row in range(count)
        ]
    )
    texts = 2 * len("00000000.jpg") + len("a dog on a beach")
    assert len(stored) == count
    # Four ends of 8 bytes, two numbers of 4; and one byte for the folders' names.
    assert len(pickle.dumps(stored)) / count < texts + 40 + 1
