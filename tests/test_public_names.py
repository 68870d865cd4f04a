"""What `import lexel` offers, no more and no less, each with an example."""

import inspect

import pytest

import lexel

PUBLIC = {
    "Captioner", "Client", "Encoder", "Hit", "LexelError", "Library", "Painter", "Query", "Recipe", "Report", "Run",
    "ZeroShotClassifier", "calibrate", "compare", "convert", "evaluate", "explain", "export", "guide", "load",
    "rank_captions", "read_source", "train",
}  # fmt: skip


def test_these_names_are_public():
    assert set(lexel.__all__) == PUBLIC
    assert set(dir(lexel)) >= PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - {"LexelError"}))
def test_each_shows_how_it_is_used(name):
    assert "Example:\n" in (inspect.getdoc(getattr(lexel, name)) or "")


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        lexel.trian  # noqa: B018
