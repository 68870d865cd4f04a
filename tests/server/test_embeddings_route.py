"""`/v1/embeddings`: what the Encoder gives, in OpenAI's shape."""

import base64

import numpy as np
import openai
import pytest
from serving import assert_problem, data_url, png

from lexel.unit_vectors import unit

TEXTS = ["a red circle", "nothing", "two green stars above a wide yellow triangle"]
ROUNDING = 1e-5  # of float32 components, as runtimes promise it among batches of other sizes


def vectors(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert [item["index"] for item in data] == list(range(len(data)))
    return np.array([item["embedding"] for item in data], np.float32)


def test_texts_get_the_vectors_that_the_encoder_gives(api, encoder):
    answer = api.post("/v1/embeddings", json={"input": TEXTS})
    np.testing.assert_allclose(vectors(answer), encoder.embed_texts(TEXTS), atol=ROUNDING)
    assert answer.json()["model"] == encoder.name
    assert answer.json()["usage"]["prompt_tokens"] == sum(map(len, encoder.tokenizer.encode(TEXTS)))


def test_one_text_needs_no_list(api, encoder):
    answer = api.post("/v1/embeddings", json={"input": TEXTS[0], "model": encoder.name})
    np.testing.assert_allclose(vectors(answer), encoder.embed_texts(TEXTS[:1]), atol=ROUNDING)


def test_texts_and_pictures_come_back_in_the_order_given(api, encoder):
    given = [{"image": data_url(png("red"))}, {"text": "nothing"}, {"image": data_url(png("blue"))}]
    wanted = np.stack([*encoder.embed_images([png("red")]), *encoder.embed_texts(["nothing"]),
                       *encoder.embed_images([png("blue")])])  # fmt: skip
    np.testing.assert_allclose(vectors(api.post("/v1/embeddings", json={"input": given})), wanted, atol=ROUNDING)


def test_pictures_may_be_uploaded(api, encoder):
    files = [("images", ("a.png", png("green"))), ("images", ("b.png", png("navy")))]
    wanted = encoder.embed_images([png("green"), png("navy")])
    np.testing.assert_allclose(vectors(api.post("/v1/embeddings", files=files)), wanted, atol=ROUNDING)


def test_base64_holds_the_same_numbers(api):
    plain = vectors(api.post("/v1/embeddings", json={"input": TEXTS}))
    coded = api.post("/v1/embeddings", json={"input": TEXTS, "encoding_format": "base64"}).json()["data"]
    read = [np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in coded]
    np.testing.assert_array_equal(np.stack(read), plain)


def test_fewer_dimensions_are_of_unit_length_again(api, encoder):
    short = vectors(api.post("/v1/embeddings", json={"input": TEXTS, "dimensions": 5}))
    np.testing.assert_allclose(short, unit(encoder.embed_texts(TEXTS)[:, :5]), atol=ROUNDING)
    too_many = api.post("/v1/embeddings", json={"input": TEXTS, "dimensions": encoder.dimensions + 1})
    assert_problem(too_many, 422, "too-many-dimensions")


def test_openais_own_client_works_unchanged(live, encoder):
    with openai.OpenAI(base_url=f"{live}/v1", api_key="not needed") as client:
        assert [model.id for model in client.models.list()] == [encoder.name]
        assert client.models.retrieve(encoder.name).id == encoder.name
        for options in ({}, {"encoding_format": "float"}, {"dimensions": 7}):
            answer = client.embeddings.create(model=encoder.name, input=TEXTS, **options)
            wanted = unit(encoder.embed_texts(TEXTS)[:, : options.get("dimensions")])
            np.testing.assert_allclose([item.embedding for item in answer.data], wanted, atol=ROUNDING)
        with pytest.raises(openai.NotFoundError, match="There is no model"):
            client.embeddings.create(model="text-embedding-3-small", input="a")


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"input": [1, 2, 3]}, 422, "invalid-request"),  # token ids
        ({"input": [[1, 2], [3]]}, 422, "invalid-request"),
        ({"input": []}, 422, "no-input"),
        ({"input": None}, 422, "invalid-request"),
        ({"inputs": "a"}, 422, "invalid-request"),
        ({"input": "a", "model": "another"}, 404, "unknown-model"),
        ({"input": [{"image": "https://example.org/a.png"}]}, 422, "invalid-request"),
        ({"input": [{"image": "data:image/png;base64,!!!"}]}, 422, "invalid-request"),
        ({"input": [{"image": "data:image/png;base64,aGVsbG8="}]}, 422, "image-unreadable"),
        ({"input": "a", "dimensions": 0}, 422, "invalid-request"),
        ({"input": "a" * 10_001}, 422, "text-too-long"),
        ({"input": ["a"] * 2049}, 422, "too-many-texts"),
    ],
)
def test_what_cannot_be_embedded_is_refused_with_its_reason(api, body, status, kind):
    assert_problem(api.post("/v1/embeddings", json=body), status, kind)


def test_an_unreadable_picture_is_named_by_its_place(api):
    files = [("images", png()), ("images", b"no picture"), ("images", png("blue"))]
    detail = assert_problem(api.post("/v1/embeddings", files=files), 422, "image-unreadable")
    assert detail.startswith("Image 2 ")


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b'{"input": "\\ud800"}', b"\xff\xfe", b"NaN"])
def test_broken_json_is_refused(api, content):
    answer = api.post("/v1/embeddings", content=content, headers={"content-type": "application/json"})
    assert_problem(answer, 422, "invalid-request")


def test_another_media_type_is_refused(api):
    answer = api.post("/v1/embeddings", content=b"a", headers={"content-type": "text/csv"})
    assert_problem(answer, 415, "unsupported-media")
