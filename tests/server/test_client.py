"""`lexel.Client` gives what the Encoder and the library give, and says why where it cannot."""

import io

import httpx
import numpy as np
import pytest
from live_server import live_server
from PIL import Image
from serving import make_library, png

import lexel
from lexel.errors import UsageError
from lexel.server import client as client_module
from lexel.server.client import Client, ServerRefusalError
from lexel.server.settings import ServerSettings

ROUNDING = 1e-5


@pytest.fixture(scope="module")
def client(live):
    with Client(live) as opened:
        yield opened


def test_vectors_are_those_of_the_encoder(client, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "TEXTS_PER_REQUEST", 2)
    monkeypatch.setattr(client_module, "IMAGES_PER_REQUEST", 2)
    texts = ["a red circle", "nothing", "a blue square", "stars", "a"]
    np.testing.assert_allclose(client.embed_texts(texts), encoder.embed_texts(texts), atol=ROUNDING)
    path = tmp_path / "blue.png"
    path.write_bytes(png("blue"))
    given = [png("red"), path, Image.new("RGB", (24, 16), "green")]
    wanted = encoder.embed_images([png("red"), png("blue"), png("green")])
    np.testing.assert_allclose(client.embed_images(given), wanted, atol=ROUNDING)
    assert client.embed_texts([]).shape == client.embed_images([]).shape == (0, encoder.dimensions)


def test_judging_is_that_of_the_encoder(client, encoder):
    pictures, texts = [png("red"), png("blue")], ["a red circle", "nothing"]
    np.testing.assert_allclose(client.similarity(pictures, texts), encoder.similarity(pictures, texts), atol=ROUNDING)
    labels = lexel.ZeroShotClassifier(encoder, texts).classify([png("red")], top=1)[0]
    [best] = client.classify(png("red"), texts, top=1)
    assert (best.label, best.probability) == (labels[0][0], pytest.approx(labels[0][1], abs=1e-4))
    assert [texts[one.index] for one in client.rank_captions(png("red"), texts)] == [
        text for text, _ in lexel.rank_captions(encoder, png("red"), texts)
    ]
    assert len(client.rank_images("nothing", pictures)) == 2


def test_searching_and_looking_at_photos(client, library_folder):
    with lexel.Library.open(library_folder) as library:
        wanted = [hit.photo.id for hit in library.search("a red circle", top=4)]
        assert [hit.id for hit in client.search("a red circle", top=4)] == wanted
        assert [hit.id for hit in client.similar(3, top=2)] == [hit.photo.id for hit in library.search(like=3, top=2)]
        assert [hit.id for hit in client.search(like=3, top=2)] == [hit.id for hit in client.similar(3, top=2)]
    [red] = client.search(where="name = 'red-1.png'")
    assert client.image(red.id) == (library_folder.parent / "pictures" / "red-1.png").read_bytes()
    assert Image.open(io.BytesIO(client.thumbnail(red.id))).format == "JPEG"
    assert client.photo(red.id)["path"] == red.path == "red-1.png"
    assert client.stats()["photos"] == 20
    assert client.models()[0]["id"] == "tiny"
    assert client.is_ready()


def test_adding_and_removing(tmp_path, model):
    with live_server(make_library(tmp_path, model)) as url, Client(url) as client:
        [id] = client.add([png("teal")])
        assert client.stats()["photos"] == 21
        client.remove(id)
        assert client.stats()["photos"] == 20
        with pytest.raises(ServerRefusalError, match="was not added: not an image"):
            client.add([b"no picture"])


def test_a_refusal_is_raised_with_its_reason(client):
    with pytest.raises(ServerRefusalError, match="has no photo 99") as refused:
        client.photo(99)
    assert (refused.value.status, refused.value.kind) == (404, "no-photo")
    assert refused.value.request_id


def test_a_full_server_is_asked_again(monkeypatch):
    answers = iter([httpx.Response(429, headers={"Retry-After": "0"}), httpx.Response(200, json={"data": [{"id": 1}]})])
    client = Client("http://server.invalid")
    client._http = httpx.Client(
        transport=httpx.MockTransport(lambda _: next(answers)), base_url="http://server.invalid"
    )
    assert client.models() == [{"id": 1}]


def test_patience_ends(monkeypatch):
    full = httpx.MockTransport(lambda _: httpx.Response(429, headers={"Retry-After": "7"}, text="full"))
    client = Client("http://server.invalid", patience=1)
    client._http = httpx.Client(transport=full, base_url="http://server.invalid")
    with pytest.raises(ServerRefusalError, match="429"):
        client.models()


def test_keys_are_sent(model):
    key = "a-key-of-this-server"
    with live_server(model, ServerSettings(api_keys=(key,))) as url:  # pyright: ignore[reportArgumentType]
        with Client(url, api_key=key) as client:
            assert client.embed_texts(["a"]).shape[0] == 1
        with Client(url) as client, pytest.raises(ServerRefusalError, match="needs an API key"):
            client.embed_texts(["a"])


@pytest.mark.parametrize("given", [3.5, "/no/such/picture.png"])
def test_what_is_no_picture_is_refused_here(client, given):
    with pytest.raises(UsageError):
        client.embed_images([given])


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", ""])
def test_an_address_that_is_none_of_a_server_is_refused(url):
    with pytest.raises(UsageError, match="with http:// or https:// before it"):
        Client(url)


def test_no_server_is_said_plainly():
    with Client("http://127.0.0.1:9") as client:
        assert not client.is_ready()
        with pytest.raises(ServerRefusalError, match="does not answer"):
            client.models()
