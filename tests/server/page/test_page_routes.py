import io
import json
import time

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from lexel.server.app import create_app
from lexel.server.page.growth import GROWTH
from lexel.server.service import Service
from lexel.training.run import growth


@pytest.fixture(scope="module")
def client(coloured_folder, colours):
    with TestClient(create_app(Service(colours, coloured_folder))) as client:
        yield client


@pytest.fixture(scope="module")
def model_client(tiny_run):
    with TestClient(create_app(Service.open(tiny_run.model))) as client:
        yield client


def ready_map(client):
    for _ in range(600):
        answer = client.get("/page/map").json()
        if answer["state"] != "working":
            return answer
        time.sleep(0.05)
    raise AssertionError("the map is not made")


def test_the_page_learns_what_is_served(client, model_client):
    facts = client.get("/page/facts").json()
    assert facts["library"]["photos"] == 60
    assert facts["model"]["name"] == "colours"
    assert facts["model"]["is_calibrated"]
    assert "photo" in facts["templates"]
    assert model_client.get("/page/facts").json()["library"] is None


def test_samples_are_photos_of_the_library_or_scenes(client, model_client):
    for given, kind in ((client, "library"), (model_client, "scenes")):
        samples = given.get("/page/samples").json()
        assert samples["kind"] == kind
        assert len(samples["pictures"]) >= 12
        content = given.get(samples["pictures"][0]["url"]).content
        assert Image.open(io.BytesIO(content)).size[0] >= 16


def test_a_scene_that_there_is_not_is_refused(model_client):
    answer = model_client.get("/page/scenes/100000")
    assert answer.status_code == 422
    assert "scenes 0 to" in answer.json()["detail"]


def test_what_the_model_sees_are_the_words_that_fit(client):
    for hit in client.post("/v1/search", json={"text": "red", "top": 3}).json()["hits"]:
        seen = client.get(f"/page/photos/{hit['id']}/seen").json()
        assert [label["text"] for label in seen["labels"]][:1] == ["red"]
        assert seen["labels"][0]["match"] > 0.5
        assert hit["caption"] not in [caption["text"] for caption in seen["captions"]]  # its own is no news


def test_a_photo_that_there_is_not_is_refused(client):
    assert client.get("/page/photos/9999/seen").status_code == 422


def test_the_map_is_made_in_the_background_and_has_its_sheets(client):
    answer = ready_map(client)
    assert answer["state"] == "ready"
    space_map = answer["map"]
    assert len(space_map["ids"]) == 60
    assert len(space_map["texts"]) == 60
    sheet = Image.open(io.BytesIO(client.get("/page/map/sheets/0").content))
    assert sheet.width == space_map["sheets"]["tile"] * space_map["sheets"]["columns"]
    assert client.get("/page/map/sheets/7").status_code == 404


def test_without_a_library_the_map_is_of_scenes_and_captions(model_client, monkeypatch):
    monkeypatch.setattr("lexel.server.page.samples.SCENES", "scenes:30/test")
    answer = ready_map(model_client)
    assert answer["state"] == "ready"
    assert len(answer["map"]["texts"]) == len(answer["map"]["ids"])
    assert answer["map"]["gap"] > 0


def test_how_the_batch_lit_up_is_told_where_the_run_is_at_hand(model_client, client, tiny_run):
    assert growth.GROWTH == GROWTH  # written by training, read here, and neither imports the other
    told = model_client.get("/page/growth").json()
    assert told == json.loads((tiny_run.folder / GROWTH).read_text())
    assert len(told["cosines"]) == len(told["steps"]) == len(told["logit_scales"])
    assert client.get("/page/growth").status_code == 404
    assert client.get("/page/facts").json()["has_growth"] is False


def test_the_page_allows_no_inline_script_or_style(client):
    policy = client.get("/").headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "script-src 'self'" in policy
    page = client.get("/").text
    assert "<style" not in page
    assert "style=" not in page
    assert "onclick" not in page
