from collections import Counter

import numpy as np
from PIL import Image

from lexel.data.captions import draw_caption
from lexel.data.readers import read_source


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
