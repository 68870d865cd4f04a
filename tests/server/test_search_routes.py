"""Search over HTTP finds what the library finds, in pages, and shows no path of the server's."""

import pytest
from serving import assert_problem, data_url, png

from lexel.library.library import Library

MODEL_ONLY = ["/v1/search?q=red", "/v1/similar/1", "/v1/library", "/v1/photos/1", "/v1/photos/1/thumbnail"]


@pytest.fixture(scope="module")
def library(library_folder):
    with Library.open(library_folder) as opened:
        yield opened


def ids(answer) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.json()["hits"]]


def test_words_find_what_the_library_finds(api, library):
    wanted = library.search("a red circle", top=5)
    for answer in (
        api.get("/v1/search", params={"q": "a red circle", "top": 5}),
        api.post("/v1/search", json={"text": "a red circle", "top": 5}),
    ):
        assert ids(answer) == [hit.photo.id for hit in wanted]
        first = answer.json()["hits"][0]
        assert first["score"] == pytest.approx(wanted[0].score, abs=1e-5)
        assert first["strength"] == wanted[0].strength
        assert first["path"] == wanted[0].photo.name


def test_an_address_may_filter_as_a_body_does(api):
    filters = {"where": "name = 'navy-0.png'"}
    wanted = ids(api.post("/v1/search", json={"text": "a circle", **filters}))
    assert len(wanted) == 1
    assert ids(api.get("/v1/search", params={"q": "a circle", **filters})) == wanted
    assert "blah" in assert_problem(api.get("/v1/search", params={"q": "a", "after": "blah"}), 422, "not-possible")


def test_a_parameter_that_is_not_known_is_refused(api):
    answer = api.get("/v1/search", params={"q": "a circle", "afer": "2024"})
    assert "query.afer" in assert_problem(answer, 422, "invalid-request")


def test_a_part_that_says_nothing_is_refused_in_plain_words(api):
    answer = api.post("/v1/search", json={"combine": [{"text": "a circle", "weight": 0}]})
    detail = assert_problem(answer, 422, "invalid-request")
    assert detail.endswith("a weight of 0 says nothing.")
    assert "Value error" not in detail


def test_pages_follow_each_other_to_the_end(api, library):
    found, offset = [], 0
    while offset is not None:
        page = api.get("/v1/search", params={"q": "nothing", "top": 7, "offset": offset}).json()
        found += [hit["id"] for hit in page["hits"]]
        offset = page["next_offset"]
    assert found == [hit.photo.id for hit in library.search("nothing", top=100)]


def test_a_photo_is_most_like_its_twin(api, library):
    [photo] = [hit.photo for hit in library.search(where="name = 'navy-0.png'")]
    hits = api.get(f"/v1/similar/{photo.id}", params={"top": 3}).json()["hits"]
    assert [hit["id"] for hit in hits] == [hit.photo.id for hit in library.search(like=photo.id, top=3)]
    assert photo.id not in [hit["id"] for hit in hits]


def test_any_picture_may_be_the_example(api, library):
    wanted = [hit.photo.id for hit in library.search(like=png("navy"), top=3)]
    assert ids(api.post("/v1/search", json={"like": {"image": data_url(png("navy"))}, "top": 3})) == wanted


def test_words_and_pictures_are_combined_with_weights(api, library):
    combine = [
        {"text": "a red circle", "weight": 2},
        {"image": data_url(png("navy"))},
        {"id": 3, "weight": -0.5},
    ]
    wanted = library.search(("a red circle", 2.0), like=png("navy"), unlike=(3, 1.0), top=5)
    assert ids(api.post("/v1/search", json={"combine": combine, "top": 5})) == [hit.photo.id for hit in wanted]


def test_words_of_negative_weight_are_left_out(api):
    parts = [{"text": "nothing"}, {"text": "a red circle", "weight": -1}]
    combined = api.post("/v1/search", json={"combine": parts, "top": 30})
    without = api.post("/v1/search", json={"text": "nothing", "without": "a red circle", "top": 30})
    assert ids(combined) == ids(without)


def test_filters_alone_give_what_passes(api):
    answer = api.post("/v1/search", json={"where": "name LIKE 'red%'"})
    assert sorted(hit["path"] for hit in answer.json()["hits"]) == ["red-0.png", "red-1.png"]
    assert ids(api.post("/v1/search", json={"keywords": "barn"})) == ids(
        api.post("/v1/search", json={"where": "name = 'red-0.png'"})
    )


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "not-possible"),
        ({"text": " "}, "invalid-request"),
        ({"where": "1; DROP TABLE files"}, "not-possible"),
        ({"where": "path = load_extension('x')"}, "not-possible"),
        ({"where": "x" * 3000}, "text-too-long"),
        ({"like": {"id": 1, "image": data_url(png())}}, "invalid-request"),
        ({"like": {"id": 10**30}}, "invalid-request"),
        ({"like": {"id": 99}}, "not-possible"),
        ({"combine": [{"text": "a", "weight": 0}]}, "invalid-request"),
        ({"combine": [{"text": "a"}] * 33}, "too-many-parts"),
        ({"text": "a", "top": 10_001}, "too-many-results"),
        ({"text": "a", "after": "yesterday"}, "not-possible"),
    ],
)
def test_what_cannot_be_asked_is_refused(api, body, kind):
    assert_problem(api.post("/v1/search", json=body), 422, kind)


def test_nothing_that_is_asked_gets_into_the_log(api, capfd):
    api.get("/v1/search", params={"q": "secretword"})  # longer in its prompts than the model reads
    assert "secret" not in "".join(capfd.readouterr())


def test_no_answer_shows_where_the_server_keeps_things(api, library_folder):
    home = str(library_folder.parent)
    said = [
        api.get("/v1/library").text,
        api.get("/v1/photos/1").text,
        api.get("/v1/search", params={"q": "red"}).text,
        api.post("/v1/search", json={"like": {"id": 99}}).text,
        api.get("/v1/photos/99").text,
        api.get("/openapi.json").text,
        api.get("/metrics").text,
    ]
    assert not [one for one in said if home in one]


@pytest.mark.parametrize("address", MODEL_ONLY)
def test_a_model_alone_has_no_library(model_api, address):
    assert_problem(model_api.get(address), 404, "no-library")


def test_an_empty_library_finds_nothing(own_api):
    for id in range(1, 21):
        own_api.delete(f"/v1/library/{id}")
    answer = own_api.get("/v1/search", params={"q": "red"})
    assert answer.json() == {"hits": [], "offset": 0, "next_offset": None}
