import json
import re

import numpy as np
import pytest
from colour_encoder import ColourEncoder
from pictures import smooth
from PIL import Image

import lexel
from lexel.curation.sources.alignment import align, embed_pictures
from lexel.curation.sources.inspection import inspect_source
from lexel.curation.sources.inspection_page import histogram_view, render_inspection, spread_words
from lexel.data.audit.spread import Histogram, Spread, ratio_histogram, spread, whole_histogram
from lexel.data.pairs import ImageFile, Pair, Source
from lexel.data.readers import read_source

HOSTILE = '<script>alert(1)</script> "quoted" & <img src=x onerror=alert(2)>'


class Tokenizer:
    """A token a word."""

    def encode(self, texts):
        return [text.split() for text in texts]


class ReadingEncoder(ColourEncoder):
    """A colour encoder that counts tokens too."""

    tokenizer = Tokenizer()


@pytest.fixture
def source(tmp_path) -> Source:
    """Hostile names and captions, copies, odd and broken pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, image in {
        "a": smooth(1),
        "b": smooth(1),
        "c": smooth(1).resize((60, 45)),
        "red": Image.new("RGB", (40, 40), "red"),
        "<i>red</i>": Image.new("RGB", (30, 30), (215, 25, 25)),
        "sliver": smooth(4, 400, 40),
    }.items():
        image.save(folder / f"{name.replace('/', '')}.png")
    (folder / "broken.png").write_bytes(b"x")
    texts = {
        "a": (HOSTILE, "green"),
        "b": ("Hostile!",),
        "red": ("red",),
        "<i>red<i>": ("blue", HOSTILE),
        "sliver": ("hostile",),
    }
    pairs = [
        Pair(f"{path.stem}", ImageFile(path), texts.get(path.stem, ()), HOSTILE if path.stem == "c" else None)
        for path in sorted(folder.iterdir())
    ]
    return Source(f"photos {HOSTILE}", pairs, notes=(HOSTILE,))


def test_a_model_adds_how_texts_fit_how_long_they_are_and_what_shows_the_same(source):
    encoder = ReadingEncoder()
    found = inspect_source(source, encoder=encoder).fit
    assert found is not None
    readable = [pair for pair in source.pairs if pair.key != "broken"]
    vectors, kept = embed_pictures(encoder, readable, None, "")
    wanted = align(encoder, readable, vectors, kept)
    assert found.match == spread(wanted.match)
    assert found.texts == len(wanted.texts) == 8
    assert found.weak == int((wanted.match < 0.5).sum())
    assert found.match_histogram.counts == np.histogram(wanted.match, 20, (0, 1))[0].tolist()
    best = {
        key: min(
            row for row in zip(wanted.rank_score, wanted.texts, wanted.pair, strict=True) if readable[row[2]].key == key
        )
        for key in ("a", "red")
    }
    assert {weak.key: weak.text for weak in found.worst if weak.key in best} == {
        key: row[1] for key, row in best.items()
    }
    assert len({weak.key for weak in found.worst}) == len(found.worst) == 6
    assert found.tokens == spread([len(caption.split()) for pair in readable for caption in pair.captions])
    assert found.truncated == 2
    groups = {frozenset([group.keep, *group.others]) for group in found.semantic_duplicates}
    assert frozenset(["red", "<i>red<i>"]) in groups
    assert not any({"a", "b"} <= group for group in groups)  # the same pixels are told of elsewhere


def test_where_many_pictures_show_the_same_the_model_is_doubted(source):
    inspection = inspect_source(source, encoder=ReadingEncoder())
    [said] = [warning for warning in inspection.warnings if "the same as another" in warning]
    assert said.endswith("of so many, this model may see no differences that there are.")  # 1 and more of 7
    assert inspection.fit is not None
    groups = inspection.fit.semantic_duplicates
    assert sum(len(group.others) for group in groups) > 0.1 * inspection.audit.images


def test_what_is_found_is_plain_json_with_the_model_beneath(source):
    found = json.loads(json.dumps(inspect_source(source, source, ReadingEncoder()).to_json()))
    assert (found["images"], found["bad"]) == (7, 1)
    assert found["model"]["fingerprint"] == "c010c010"
    assert any("cut at the end" in warning for warning in found["warnings"])
    assert json.loads(json.dumps(inspect_source(source).to_json()))["model"] is None


def test_the_page_is_whole_and_escapes_what_is_hostile(source):
    page = render_inspection(inspect_source(source, source, ReadingEncoder()))
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert "url(" not in page
    assert "prefers-color-scheme: dark" in page
    for heading in (
        "The worst-matching pairs",
        "The same pixels",
        "Nearly the same",
        "Showing the same",
        "Slivers",
        "Of one colour",
        "Not readable",
        "Captions in both",
    ):
        assert f">{heading}</h3>" in page
    assert page.count("no picture") == 0


def test_a_page_of_pictures_that_have_gone_or_cannot_be_read_at_all_is_written(source, tmp_path):
    found = inspect_source(source)
    for pair in source.pairs:
        assert isinstance(pair.picture, ImageFile)
        pair.picture.path.unlink()
    assert "no picture" in render_inspection(found)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"x")
    assert "Not readable" in render_inspection(
        inspect_source(read_source(str(tmp_path / "bad")), encoder=ReadingEncoder())
    )


def test_bars_stand_for_counts_and_say_their_range():
    view = histogram_view(Histogram([1.0, 2.0, 3.0, 10.0], [4, 0, 2]))
    assert [bar.title for bar in view.bars] == ["1: 4", "2: 0", "3 to 9: 2"]
    assert [bar.height / view.height for bar in view.bars] == [1, 0, 0.5]
    ratios = histogram_view(ratio_histogram([0.5, 1, 1, 2]), ratios=True)
    assert [text for _, text in ratios.ticks] == ["1:2", "2:3", "1:1", "3:2", "2:1"]
    assert {text: at for at, text in ratios.ticks}["1:1"] == pytest.approx(view.width / 2)
    assert histogram_view(whole_histogram([])).bars == []


def test_spreads_are_written_for_people():
    assert spread_words(Spread(1, 2.5, 2000, 30000)) == "1 to 30,000; half up to 2.5, 95 % up to 2,000"
    assert spread_words(Spread(3, 3, 3, 3)) == "3"
    assert spread_words(None) == "–"


def test_a_real_model_reads_tokens_and_is_told_apart_as_calibrated(tiny_model, tmp_path):
    encoder = lexel.load(tiny_model)
    found = inspect_source(read_source("scenes:20"), encoder=encoder)
    assert found.fit is not None
    captions = [caption for pair in found.source.pairs for caption in pair.captions]
    assert found.fit.truncated == encoder.count_truncated(captions)
    assert found.fit.calibrated == (encoder.calibration is not None)
    render_inspection(found)
