import base64
import io

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from lexel.errors import UsageError
from lexel.server.app import create_app
from lexel.server.drawing.doodles import draw_doodle, draw_writing
from lexel.server.drawing.judge import DrawingJudge, ink_parts, ink_share, points_of
from lexel.server.drawing.prompts import everyday_prompts
from lexel.server.service import Service

PROMPTS = ["a red thing", "a blue thing", "a green thing", "a yellow thing"]


@pytest.fixture(scope="module")
def judge(colours) -> DrawingJudge:
    return DrawingJudge(colours, PROMPTS)


def sheet(colour: str | None = None, side: int = 256) -> Image.Image:
    image = Image.new("RGB", (side, side), "white")
    if colour:
        ImageDraw.Draw(image).rectangle((40, 40, side - 40, side - 40), colour)
    return image


class ReadingEncoder:
    """Sees how many strokes lie across the picture, and how long they are: many short ones are letters to it."""

    logit_scale, logit_bias, calibration, name = 10.0, None, None, "reader"

    def embed_images(self, images):
        return np.stack([self._vector(image) for image in images]).astype(np.float32)

    def embed_texts(self, texts):
        vectors = np.random.default_rng(0).standard_normal((len(texts), 44))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def probabilities_of(self, cosines):
        weights = np.exp(cosines * self.logit_scale)
        return weights / weights.sum(axis=1, keepdims=True)

    def _vector(self, image):
        ink = np.asarray(image.convert("L").resize((96, 96))) < 200
        lengths, runs = np.zeros((2, 12)), np.zeros((2, 10))
        for way, lines in enumerate((ink, ink.T)):
            for line in lines:
                edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int), [0]])))
                runs[way, min(len(edges) // 2, 9)] += 1
                for length in edges[1::2] - edges[::2]:
                    lengths[way, min(int(length) // 3, 11)] += 1
        values = np.log1p(np.concatenate([lengths.ravel(), runs.ravel()]))
        return values / np.linalg.norm(values)


def test_a_drawing_of_the_prompt_wins_and_one_of_another_does_not(judge):
    right, wrong = judge.judge(sheet("red"), PROMPTS[0]), judge.judge(sheet("blue"), PROMPTS[0])
    assert right.place == 1
    assert wrong.place > 1
    assert right.points > wrong.points + 20
    assert wrong.guesses[0][0] == PROMPTS[1]


def test_an_empty_board_has_no_points(judge):
    verdict = judge.judge(sheet(), PROMPTS[0])
    assert (verdict.points, verdict.guesses) == (0, ())


def test_a_prompt_that_is_not_in_the_game_is_refused(judge):
    with pytest.raises(UsageError, match="not one of the prompts"):
        judge.judge(sheet("red"), "an elephant")


@given(probability=st.floats(0, 1), writing=st.floats(0, 1), less=st.floats(0, 1))
def test_points_rise_with_the_probability_and_fall_with_writing(probability, writing, less):
    assert 0 <= points_of(probability, writing) <= 100
    assert points_of(probability, writing) <= points_of(probability, writing * less)
    assert points_of(probability * less, writing) <= points_of(probability, writing)


def test_a_model_that_can_tell_writing_takes_its_points_away():
    judge = DrawingJudge(ReadingEncoder(), ["a cat on a piano", "the moon over a hill"])
    assert judge.knows_writing
    random = np.random.default_rng(99)  # not those that the probe was fitted on
    written = [judge.judge(draw_writing("a cat on a piano", random), "a cat on a piano") for _ in range(20)]
    drawn = [judge.judge(draw_doodle(random), "a cat on a piano") for _ in range(20)]
    assert np.mean([verdict.is_writing for verdict in written]) > 0.8
    assert np.mean([verdict.is_writing for verdict in drawn]) < 0.4
    assert np.mean([v.points for v in written]) < np.mean([v.points for v in drawn])


def test_a_model_to_which_all_looks_alike_accuses_nobody(monkeypatch):
    blind = ReadingEncoder()
    blind._vector = lambda image: np.eye(44)[0]
    judge = DrawingJudge(blind, PROMPTS)
    assert not judge.knows_writing
    assert judge.judge(draw_writing("a red thing", np.random.default_rng(0)), PROMPTS[0]).writing == 0


def test_ink_is_what_is_not_ground():
    assert ink_share(sheet()) == 0
    assert 0.4 < ink_share(sheet("red")) < 0.5
    assert ink_parts(sheet()) == []
    assert len(ink_parts(sheet("red"))) == 4


def test_writing_and_doodles_are_the_same_everywhere():
    def drawn(seed):
        random = np.random.default_rng(seed)
        return draw_writing("a word", random).tobytes() + draw_doodle(random).tobytes()

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)


def test_the_prompts_are_sixty_and_more_sentences_each_once():
    prompts = everyday_prompts()
    assert len(prompts) >= 60
    assert len(set(prompts)) == len(prompts)
    assert all(prompt == prompt.strip() and len(prompt) < 60 for prompt in prompts)
    assert ImageFont.load_default(20) is not None  # of Pillow itself; writing needs no typeface of the machine


@pytest.fixture(scope="module")
def client(colours):
    with TestClient(create_app(Service(colours))) as client:
        yield client


def as_url(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def test_the_game_is_played_over_http(client):
    prompts = client.get("/page/drawing").json()["prompts"]
    verdict = client.post("/page/drawing/score", json={"prompt": prompts[0], "image": as_url(sheet("red"))}).json()
    assert 0 <= verdict["points"] <= 100
    assert len(verdict["guesses"]) == 3
    assert 1 <= verdict["place"] <= len(prompts)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": "a cat asleep on a piano"},
        {"prompt": "no prompt of the game", "image": as_url(sheet("red"))},
        {"prompt": "a cat asleep on a piano", "image": "http://127.0.0.1/secret"},
        {"prompt": "a cat asleep on a piano", "image": "data:image/png;base64,AAAA"},
        {"prompt": "a cat asleep on a piano", "image": "data:image/png;base64,***"},
        {"prompt": 3, "image": as_url(sheet("red"))},
    ],
)
def test_what_is_no_drawing_is_refused_with_a_reason(client, body):
    answer = client.post("/page/drawing/score", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]
