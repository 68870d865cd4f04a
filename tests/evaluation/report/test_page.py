import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from colour_encoder import COLOURS, Broken, ColourEncoder, captioned_source, labelled_source, painted
from PIL import Image

from lexel.data.pairs import Pair, Source
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.metrics.metric import Metric
from lexel.evaluation.report.page import render, thumbnail
from lexel.evaluation.report.phrases import interval, percent, rank
from lexel.evaluation.report.report import Report

HOSTILE = """<script>alert("red")</script><img src='http://evil.example/x' onerror=x> {{ 7*7 }}"""


class Reader(HTMLParser):
    """Collects the tags, what they refer to, and whether they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.references += [value for name, value in attrs if name in {"src", "href", "srcset", "data", "action"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else, at {self.getpos()}"

    def handle_data(self, data):
        self.text += data

    @classmethod
    def of(cls, html: str) -> "Reader":
        reader = cls()
        reader.feed(html)
        reader.close()
        assert reader.open == []
        return reader


def both(**fields) -> Source:
    return Source("both", [*labelled_source().pairs, *captioned_source().pairs], **fields)


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing():
    html = render(evaluate(ColourEncoder(), both()))
    page = Reader.of(html)
    assert all(reference.startswith(("data:image/", "#")) for reference in page.references)
    assert sum(reference.startswith("data:image/webp") for reference in page.references) > 50
    assert page.tags.isdisjoint({"script", "link", "iframe", "object", "embed", "base", "form"})
    assert "url(" not in html
    assert "@import" not in html


def test_hostile_captions_labels_names_and_notes_come_out_as_text():
    pairs = [
        painted(HOSTILE, "red", label=HOSTILE, captions=(HOSTILE, "red")),
        painted("ok", "blue", label="blue", captions=("blue" + HOSTILE,)),
        Pair("torn" + HOSTILE, Broken(), label="blue"),
    ]
    source = Source(HOSTILE, pairs, notes=(HOSTILE,), split=HOSTILE)
    report = evaluate(ColourEncoder(), source, templates=[HOSTILE + "{}"])
    for html in (render(report), render(Report.model_validate_json(report.model_dump_json()))):
        page = Reader.of(html)
        assert "script" not in page.tags
        assert page.handlers == []
        assert not any(reference.startswith("http") for reference in page.references)
        assert page.text.count(HOSTILE) > 8


def test_the_page_tells_the_numbers_the_warnings_and_the_prompts():
    report = evaluate(ColourEncoder(), both(), templates=["a nice {}"])
    text = Reader.of(render(report)).text.replace("\u2060", "")
    [source] = report.sources
    headlines = [section.headline for section in source.sections]
    assert len(headlines) == 2
    for said in (*headlines, *source.all_warnings, "a nice {}", source.fingerprint, report.fingerprint):
        assert said in text


@pytest.mark.parametrize("classes", [2, 7, 15, 16, 41])
def test_the_confusion_matrix_fits_its_number_of_classes(classes):
    pairs = [painted(f"{i}", list(COLOURS)[i % 7], label=f"class {i % classes:02d}") for i in range(2 * classes)]
    html = render(evaluate(ColourEncoder(), Source("s", pairs)))
    assert ('<img class="matrix-picture"' in html) == (classes > 40)
    assert ('<text class="count' in html) == (classes <= 15)


def test_a_report_read_back_from_json_shows_its_numbers_without_pictures():
    report = Report.model_validate_json(evaluate(ColourEncoder(), both()).model_dump_json())
    page = Reader.of(render(report))
    assert not any(reference.startswith("data:image/webp") for reference in page.references)
    assert report.sources[0].sections[0].headline.replace("–", "–\u2060") in page.text


def test_the_same_report_gives_the_same_page():
    report = evaluate(ColourEncoder(), both())
    assert render(report) == render(report)


def test_a_thumbnail_is_small_and_one_of_a_broken_picture_is_none():
    class Large:
        def load(self):
            return Image.fromarray(np.zeros((300, 900, 3), np.uint8))

    uri = thumbnail(Large(), 96)
    assert uri is not None
    assert Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size == (96, 32)
    assert thumbnail(Broken(), 96) is None


@pytest.mark.parametrize(
    ("share", "words"),
    [(1, "100 %"), (0.996, "99.6 %"), (0.914, "91 %"), (0.0417, "4.2 %"), (0.0003, "0.03 %"), (0, "0 %")],
)
def test_shares_are_said_with_the_digits_worth_reading(share, words):
    assert percent(share) == words.replace(" ", "\u00a0")


def test_intervals_and_ranks_in_words():
    assert interval(Metric(value=0.91, low=0.89, high=0.93, chance=0)) == "89–93\u00a0%"
    assert [rank(value) for value in (1, 1.5, 1204.0, 250.5)] == ["1", "1.5", "1,204", "250"]
    [section] = evaluate(ColourEncoder(), labelled_source()).sources[0].sections
    assert re.fullmatch(r"Names 7 kinds .*; guessing would give 14.%\.", section.headline)
