"""The OpenAPI description: schemathesis makes requests of it, good and bad, and the server answers as described."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from live_server import live_server
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from lexel.server.settings import ServerSettings

EXAMPLES = 10  # of each operation and mode
OPERATIONS = [
    ("POST", "/v1/embeddings"), ("POST", "/v1/classify"), ("POST", "/v1/rank"), ("POST", "/v1/similarity"),
    ("POST", "/v1/search"), ("GET", "/v1/search"), ("GET", "/v1/similar/{id}"), ("GET", "/v1/photos/{id}"),
    ("GET", "/v1/photos/{id}/thumbnail"), ("GET", "/v1/photos/{id}/image"), ("GET", "/v1/library"),
    ("POST", "/v1/library"), ("DELETE", "/v1/library/{id}"), ("GET", "/v1/models"), ("GET", "/v1/models/{name}"),
    ("GET", "/health"), ("GET", "/ready"), ("GET", "/metrics"),
]  # fmt: skip


@pytest.fixture(scope="module")
def schema(library_folder):
    with live_server(library_folder, ServerSettings(read_only=True)) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


def test_all_that_can_be_asked_is_described(schema):
    described = {(o.ok().method.upper(), o.ok().path) for o in schema.get_all_operations()}
    assert described == set(OPERATIONS)


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        (method, path, mode)
        for method, path in OPERATIONS
        for mode in GenerationMode
        if mode is GenerationMode.POSITIVE or method == "POST" or "{id}" in path or path == "/v1/search"
    ],  # nothing can be wrong with a request that has no parameters, nor with a name
)
def test_every_answer_is_one_that_is_described(schema, method, path, mode):
    operation = schema[path][method]

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case) -> None:
        case.call_and_validate(excluded_checks=[positive_data_acceptance])  # no pattern tells what a picture is

    check()
