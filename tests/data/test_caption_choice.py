from collections import Counter

import numpy as np
import pytest
from PIL import Image
from tars import jpeg, write_tar

from lexel.data.captions import draw_caption
from lexel.data.packing import PackSettings, pack
from lexel.data.readers import read_source
from lexel.errors import DataError, UsageError


def test_a_column_that_is_named_twice_is_drawn_twice_as_often(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "1.png")
    (tmp_path / "t.csv").write_text("file,colour,title\n1.png,red,mug\n")
    pair = read_source(str(tmp_path / "t.csv"), caption=["title", "title", "{colour} {title}"]).pairs[0]
    random = np.random.default_rng(0)
    drawn = Counter(draw_caption(pair, ("{}",), 0.0, random)[0] for _ in range(3000))
    assert drawn.keys() == {"mug", "red mug"}
    assert abs(drawn["mug"] / 3000 - 2 / 3) < 0.035  # four standard deviations of 3000 draws


def test_a_label_joins_captions_as_often_as_its_share_says_and_alone_where_there_are_none(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "1.png")
    (tmp_path / "t.csv").write_text("file,caption,label\n1.png,a red cup,mug\n")
    pair = read_source(str(tmp_path / "t.csv")).pairs[0]
    random = np.random.default_rng(0)
    drawn = Counter(draw_caption(pair, ("a photo of a {}",), 0.3, random)[0] for _ in range(3000))
    assert drawn.keys() == {"a red cup", "a photo of a mug"}
    assert abs(drawn["a photo of a mug"] / 3000 - 0.3) < 0.034  # four standard deviations


WEIGHTS = {"title": 0.6, "a {colour} {title}": 0.3, "notes": 0.1}


@pytest.fixture
def shop(tmp_path):
    for number in (1, 2, 3):
        Image.new("RGB", (2, 2)).save(tmp_path / f"{number}.png")
    rows = ["1.png,red,mug,stoneware", "2.png,,cup,", "3.png,blue,bowl,glass", "3.png,blue,soup bowl,"]
    (tmp_path / "t.csv").write_text("\n".join(["file,colour,title,notes", *rows]) + "\n")
    return tmp_path / "t.csv"


def shares(pair, draws=4000):
    random = np.random.default_rng(0)
    drawn = Counter(draw_caption(pair, ("{}",), 0.0, random)[0] for _ in range(draws))
    return {caption: count / draws for caption, count in drawn.items()}


def test_captions_are_drawn_as_often_as_their_weights_say(shop):
    mug, cup, bowl = read_source(str(shop), caption=WEIGHTS).pairs
    # Four standard deviations of 4000 draws are at most 0.032.
    assert shares(mug) == pytest.approx({"mug": 0.6, "a red mug": 0.3, "stoneware": 0.1}, abs=0.032)
    assert shares(cup) == {"cup": 1.0}  # without a colour and notes: their weights fall to the title
    assert shares(bowl) == pytest.approx(
        {"bowl": 0.3, "soup bowl": 0.3, "a blue bowl": 0.15, "a blue soup bowl": 0.15, "glass": 0.1}, abs=0.032
    )


def test_weights_are_packed_and_filtered_along(shop, tmp_path):
    pairs = read_source(str(shop), caption=WEIGHTS).pairs
    pack(str(shop), lambda name: read_source(name, caption=WEIGHTS), tmp_path / "packed", PackSettings(size=16))
    packed = read_source(str(tmp_path / "packed")).pairs
    assert [(p.captions, p.caption_weights) for p in packed] == [(p.captions, p.caption_weights) for p in pairs]


def test_fields_of_a_shard_have_weights_too(tmp_path):
    said = {"short": "a mug", "long": "a red mug on a table"}
    write_tar(
        tmp_path / "s.tar", [("1.jpg", jpeg(1)), ("1.json", said), ("2.jpg", jpeg(2)), ("2.json", {"short": "b"})]
    )
    first, second = read_source(str(tmp_path / "s.tar"), caption={"long": 3, "short": 1}).pairs
    assert shares(first) == pytest.approx({"a mug": 0.25, "a red mug on a table": 0.75}, abs=0.032)
    assert (second.captions, second.caption_weights) == (("b",), (1.0,))


@pytest.mark.parametrize(
    ("said", "expected"), [("[0.9, 0.1]", (0.9, 0.1)), ("null", ()), ("[1, 1]", ()), ("[0.5, 2]", (0.5, 2.0))]
)
def test_a_table_says_weights_beside_its_captions(tmp_path, said, expected):
    Image.new("RGB", (2, 2)).save(tmp_path / "1.png")
    (tmp_path / "t.jsonl").write_text(f'{{"file_name": "1.png", "captions": ["a", "b"], "caption_weights": {said}}}\n')
    assert read_source(str(tmp_path / "t.jsonl")).pairs[0].caption_weights == expected


@pytest.mark.parametrize("said", ["[1]", "[1, 0]", '"often"', "[1, NaN]"])
def test_weights_that_belong_to_no_captions_are_refused(tmp_path, said):
    Image.new("RGB", (2, 2)).save(tmp_path / "1.png")
    (tmp_path / "t.jsonl").write_text(f'{{"file_name": "1.png", "captions": ["a", "b"], "caption_weights": {said}}}\n')
    with pytest.raises(DataError, match=r"line 1.*caption_weights"):
        read_source(str(tmp_path / "t.jsonl"))


def test_a_weight_of_nothing_is_refused(shop):
    with pytest.raises(UsageError, match="above 0"):
        read_source(str(shop), caption={"title": 0.0})
