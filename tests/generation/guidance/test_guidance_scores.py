import numpy as np
import pytest
from colour_encoder import COLOURS, CollapsedEncoder, ColourEncoder
from PIL import Image

from lexel.calibration import Calibration
from lexel.errors import UsageError
from lexel.generation.guidance.goals import Wish
from lexel.generation.guidance.scores import Panel, check_judge, default_distractors, read_distractors

CALIBRATION = {"slope": 10.0, "intercept": -5.0, "pairs": 9, "expected_calibration_error": 0.0}


def flat(colour: str) -> Image.Image:
    return Image.new("RGB", (8, 8), COLOURS[colour])


def test_ranks_and_cosines_are_those_of_the_texts():
    panel = Panel(Wish("red"), ColourEncoder(), ["blue", "green", "red white"])
    (right,) = panel.judge(flat("blue"), flat("red")).goals
    assert right.rank == 1
    assert right.of == 3  # "red white" says all that "red" does
    assert right.before < 0.1
    assert right.after > 0.99
    (wrong,) = panel.judge(flat("red"), flat("blue")).goals
    assert wrong.rank == 3  # after blue, and after green, which fits as little: a tie counts against the text
    assert wrong.match is None


def test_the_match_is_the_calibration_s():
    encoder = ColourEncoder()
    encoder.calibration = Calibration(source="colours", **CALIBRATION)
    encoder.match_of = encoder.calibration.probability
    (score,) = Panel(Wish("red"), encoder, []).judge(flat("blue"), flat("red")).goals
    assert score.match == pytest.approx(1 / (1 + np.exp(-(10 * score.after - 5))))
    assert score.rank is None


def test_a_change_is_measured_along_its_way_and_ranks_what_it_leads_to():
    panel = Panel(Wish(change=("blue", "red")), ColourEncoder(), ["green"])
    verdict = panel.judge(flat("blue"), flat("red"))
    (score,) = verdict.goals
    assert score.after == pytest.approx(1, abs=1e-3)
    assert (score.rank, score.of) == (1, 2)
    assert verdict.lines() == ["blue → red: cosine 1.000, rank 1 of 2"]
    (other,) = panel.judge(flat("blue"), flat("green")).goals
    assert other.after == pytest.approx(0.5, abs=0.01)  # half of that way is away from blue


def test_a_change_that_the_model_does_not_see_is_refused():
    with pytest.raises(UsageError, match="alike"):
        Panel(Wish(change=("blue", "red")), CollapsedEncoder(), [])


def test_the_best_of_several_pictures_is_found():
    panel = Panel(Wish("red"), ColourEncoder(), [])
    assert panel.best([flat("blue"), flat("red"), flat("green")]) == 1


def test_distractors_fit_the_model_and_are_distinct():
    encoder = ColourEncoder()
    everyday = default_distractors(encoder)
    assert len(everyday) == len(set(everyday)) > 100
    encoder.calibration = Calibration(source="scenes:500/val", **CALIBRATION)
    scenes = default_distractors(encoder)
    assert len(scenes) == 100
    assert "a red circle" in scenes


def test_distractors_are_read_from_a_file(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("a cat\n\n a dog \n")
    assert read_distractors(file) == ["a cat", "a dog"]
    file.write_text("\n")
    with pytest.raises(UsageError, match="holds no texts"):
        read_distractors(file)
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_distractors(file)
    with pytest.raises(UsageError, match="No such file"):
        read_distractors(tmp_path / "none.txt")


def test_a_model_is_no_judge_of_itself():
    with pytest.raises(UsageError, match="the guiding model itself"):
        check_judge(ColourEncoder(), ColourEncoder())
