"""How much is let in, and for how long: what is full refuses at once, and work ends with its client or its time."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi.testclient import TestClient
from serving import assert_problem

from lexel.errors import UsageError
from lexel.server.app import create_app
from lexel.server.service import Service
from lexel.server.settings import ServerSettings

BODY = json.dumps({"input": "a"}).encode()


@asynccontextmanager
async def started(model, **changes):
    """The application, started, and the service behind it."""
    service = Service.open(model, ServerSettings(**changes))
    app = create_app(service)
    async with app.router.lifespan_context(app):
        yield app, service


class Stuck:
    """An embedder's work that never ends by itself."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def texts(self, _):
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


async def ask(app, leave: asyncio.Event) -> list[dict]:
    """Send a request whose client leaves on the event; what the application sent."""
    sent: list[dict] = []
    messages = [{"type": "http.request", "body": BODY, "more_body": False}]

    async def receive():
        if messages:
            return messages.pop()
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": "/v1/embeddings", "raw_path": b"/v1/embeddings", "query_string": b"", "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    return sent


def test_work_ends_when_its_client_leaves(model):
    async def work():
        async with asyncio.timeout(20), started(model) as (app, service):
            stuck, leave = Stuck(), asyncio.Event()
            service.embedder.texts = stuck.texts
            asked = asyncio.ensure_future(ask(app, leave))
            await stuck.begun.wait()
            leave.set()
            assert await asked == []
            assert stuck.cancelled.is_set()

    asyncio.run(work())


def test_work_ends_with_its_time_and_says_so(model):
    async def work():
        async with asyncio.timeout(20), started(model, request_seconds=0.2) as (app, service):
            stuck = Stuck()
            service.embedder.texts = stuck.texts
            head, *body = await ask(app, asyncio.Event())
            assert head["status"] == 429
            assert dict(head["headers"])[b"retry-after"] == b"5"
            assert json.loads(b"".join(part["body"] for part in body))["type"].endswith(":too-slow")
            assert stuck.cancelled.is_set()

    asyncio.run(work())


def test_at_ten_times_its_capacity_it_refuses_at_once_and_recovers_at_once(model):
    async def work():
        async with asyncio.timeout(30), started(model, max_requests=4) as (app, service):
            usual, gate = service.embedder.texts, asyncio.Event()

            async def behind_gate(texts):
                await gate.wait()
                return await usual(texts)

            service.embedder.texts = behind_gate
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                flood = [
                    asyncio.ensure_future(client.post("/v1/embeddings", json={"input": f"text {number}"}))
                    for number in range(40)
                ]
                refused = set()
                while len(refused) < 36:
                    done, _ = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED, timeout=0.05)
                    refused |= done
                for answer in (task.result() for task in refused):
                    assert_problem(answer, 429, "too-many-requests")
                    assert answer.headers["retry-after"] == "1"
                assert (await client.get("/health")).status_code == 200  # who watches is let in
                gate.set()
                admitted = await asyncio.gather(*(task for task in flood if task not in refused))
                assert [answer.status_code for answer in admitted] == [200] * 4
                again = await client.post("/v1/embeddings", json={"input": "after the flood"})
                assert again.status_code == 200

    asyncio.run(work())


def test_a_full_queue_is_told_with_the_time_to_come_back(model):
    with TestClient(create_app(Service.open(model, ServerSettings(max_waiting_texts=3)))) as api:
        answer = api.post("/v1/embeddings", json={"input": ["a", "b", "c", "d"]})
        assert_problem(answer, 429, "queue-full")
        assert int(answer.headers["retry-after"]) >= 1
        assert api.post("/v1/embeddings", json={"input": ["a", "b", "c"]}).status_code == 200


def test_it_is_not_ready_while_it_ends(model):
    service = Service.open(model)
    with TestClient(create_app(service)) as api:
        assert api.get("/ready").json() == {"status": "ready"}
        service.is_draining = True
        answer = api.get("/ready")
        assert (answer.status_code, answer.json()) == (503, {"status": "ending"})
        assert api.get("/health").status_code == 200


def test_the_numbers_tell_what_was_asked(model):
    with TestClient(create_app(Service.open(model))) as api:
        api.post("/v1/embeddings", json={"input": ["a", "b"]})
        api.post("/v1/embeddings", json={"input": ["b", "c"]})
        page = api.get("/metrics").text
    assert 'lexel_inputs_total{kind="text",source="computed"} 3.0' in page
    assert 'lexel_inputs_total{kind="text",source="cache"} 1.0' in page
    assert 'lexel_requests_total{method="POST",route="/v1/embeddings",status="200"} 2.0' in page


@pytest.mark.parametrize("target", ["qdrant://localhost:6333/photos"])
def test_what_cannot_be_served_is_said(target):
    with pytest.raises(UsageError, match="is on a cluster"):
        Service.open(target)
