"""Who gets an answer: keys, hosts, origins, and what a page is told it may do."""

import pytest
from fastapi.testclient import TestClient
from serving import assert_problem

from lexel.errors import UsageError
from lexel.server.app import create_app
from lexel.server.service import Service
from lexel.server.settings import ServerSettings, read_keys

KEY, OTHER = "k" * 32, "another-key-of-this-server"


@pytest.fixture(scope="module")
def guarded(model, tmp_path_factory):
    keys = tmp_path_factory.mktemp("keys") / "keys.txt"
    keys.write_text(f"# of the shop\n{KEY}\n\n{OTHER}\n")
    settings = ServerSettings(
        api_keys=read_keys(keys), allowed_hosts=("testserver", "::1"), cors_origins=("https://shop.example",)
    )
    with TestClient(create_app(Service.open(model, settings))) as client:
        yield client


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer nonsense"}, {"authorization": f"Basic {KEY}"},
                                     {"x-api-key": KEY[:-1]}, {"authorization": f"Bearer {KEY}x"},
                                     {"authorization": "Bearer "}, {"x-api-key": "ü"}])  # fmt: skip
def test_without_a_key_of_the_server_there_is_no_answer(guarded, headers):
    answer = guarded.get("/v1/models", headers={k: v.encode() for k, v in headers.items()})
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert_problem(guarded.get("/metrics", headers={}), 401, "unauthorized")


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": OTHER}])
def test_any_of_the_keys_opens(guarded, headers):
    assert guarded.get("/v1/models", headers=headers).status_code == 200


def test_health_needs_no_key(guarded):
    assert guarded.get("/health").status_code == guarded.get("/ready").status_code == 200


def test_another_name_for_the_server_is_refused(guarded):
    assert_problem(guarded.get("/health", headers={"host": "evil.example:8000"}), 421, "unknown-host")
    assert guarded.get("/health", headers={"host": "[::1]:8000"}).status_code == 200


def test_a_page_of_another_site_may_not_change_anything(guarded, own_api):
    headers = {"x-api-key": KEY, "origin": "https://evil.example"}
    assert_problem(guarded.post("/v1/embeddings", json={"input": "a"}, headers=headers), 403, "other-origin")
    for origin in ("https://shop.example", "http://testserver"):
        answer = guarded.post("/v1/embeddings", json={"input": "a"}, headers=headers | {"origin": origin})
        assert answer.status_code == 200
    assert_problem(own_api.delete("/v1/library/1", headers={"origin": "null"}), 403, "other-origin")


def test_other_sites_may_read_only_where_they_were_named(guarded, api):
    named = guarded.get("/health", headers={"origin": "https://shop.example"})
    assert named.headers["access-control-allow-origin"] == "https://shop.example"
    other = guarded.get("/health", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    assert "access-control-allow-origin" not in api.get("/health", headers={"origin": "https://a.example"}).headers
    asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    assert guarded.options("/v1/embeddings", headers=asked).status_code == 200


def test_answers_are_no_programs_for_a_browser(api):
    headers = api.get("/v1/photos/1/thumbnail").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "sandbox" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("content", "why"),
    [("", "no API key"), ("short", "Key 1"), (f"{KEY}\nwith space {KEY}", "Key 2"), (None, "cannot be read")],
)
def test_a_file_without_good_keys_is_refused(tmp_path, content, why):
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=why):
        read_keys(path)


def test_a_request_has_the_id_that_it_came_with_unless_that_is_odd(api):
    assert api.get("/health", headers={"x-request-id": "trace-1.a"}).headers["x-request-id"] == "trace-1.a"
    odd = "x" * 65
    assert api.get("/health", headers={"x-request-id": odd}).headers["x-request-id"] != odd


def test_an_error_that_nobody_foresaw_says_nothing_but_its_id(model, capfd):
    service = Service.open(model)
    app = create_app(service, log="json")
    secret = "what the user wrote"

    async def fail(_):
        raise RuntimeError(secret)

    with TestClient(app, raise_server_exceptions=False) as client:
        service.embedder.texts = fail
        answer = client.post("/v1/embeddings", json={"input": "a"})
    detail = assert_problem(answer, 500, "internal-error")
    written = capfd.readouterr().err
    assert answer.headers["x-request-id"] in detail
    assert answer.headers["x-request-id"] in written
    assert "RuntimeError" in written
    assert secret not in answer.text + written
