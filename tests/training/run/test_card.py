import json

import pytest
from tiny import tiny_recipe

from lexel.images import Preprocessing
from lexel.models.clip import CLIP
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.training_data import gather
from lexel.training.run.card import model_card


@pytest.fixture
def card(tiny_run) -> str:
    return (tiny_run.model / "README.md").read_text()


def test_the_card_names_the_data_and_its_fingerprint(card):
    assert "- `scenes:48/train`: 48 pairs\n" in card
    assert gather(tiny_recipe(), InputReader()).fingerprint in card
    assert "On 24 pairs that were not trained on (scenes:24/val)" in card


def test_the_card_holds_the_whole_recipe(card):
    saved = card.partition("```json\n")[2].partition("```")[0]
    assert json.loads(saved) == tiny_recipe().model_dump(mode="json")
    assert "8 steps of 16 pairs" in card


def test_the_card_holds_every_number_of_the_report(card, tiny_run):
    for name, value in tiny_run.report.metrics().items():
        assert f"| {name} | {value:.4g} |" in card


def test_weights_and_templates_of_a_source_are_told_where_they_matter(tiny_run, tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(4):
            (tmp_path / label / f"{number}.png").touch()
    recipe = tiny_recipe(
        data={"sources": [{"source": str(tmp_path), "weight": 3.0, "templates": ["a {}", "the {}"]}]},
        evaluation={"holdout": 0.25},
    )
    clip, pixels = CLIP(recipe.architecture(400)), Preprocessing(image_size=32, resize="pad")
    text = model_card(recipe, gather(recipe, InputReader()), clip, pixels, tiny_run.report, 10, 90.0)
    assert "6 pairs, weight 3, labels shown as `a {}`, `the {}`" in text
    assert "10 steps of 16 pairs in 1 min 30 s" in text
    assert "32-pixel images\n(pad)" in text
