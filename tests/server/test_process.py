"""`lexel serve` as a process: it says where it listens, ends when asked, and loses nothing that it has taken."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from serving import make_library

from lexel.batches import cores
from lexel.errors import UsageError
from lexel.server.listening import ServePlan, hosts_for, listening_socket, ready_lines
from lexel.server.settings import ServerSettings
from lexel.server.workers import check_workers

LONGEST_START = 90.0  # seconds, on a busy machine


@contextmanager
def serving(*words: object) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """Run `lexel serve`; the process, its address, and the lines that it said up to that."""
    command = [sys.executable, "-m", "lexel", "serve", *map(str, words), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said: list[str] = []
    try:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"ready at (http://\S+)", line):
                yield process, found[1], said
                break
        else:
            raise AssertionError("".join(said))
    finally:
        process.kill()
        process.wait()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Ask the process to end; its exit status, and what it said meanwhile."""
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.fixture(scope="module")
def library(tmp_path_factory, model) -> Path:
    return make_library(tmp_path_factory.mktemp("process"), model)


def test_it_says_where_it_is_finishes_what_it_has_begun_and_ends_with_status_0(library):
    """The last request is sent in part before the signal, and in part after."""
    with serving(library, "--log", "json") as (process, url, said):
        assert not any("WARNING" in line for line in said)
        assert httpx.get(f"{url}/v1/search", params={"q": "secret words"}).status_code == 200
        address, body = httpx.URL(url), b'{"input": "nothing"}'
        with socket.create_connection((address.host, address.port)) as connection:
            connection.sendall(
                b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body)
            )
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            connection.sendall(body)
            answer = connection.recv(1 << 16)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 0
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer.lower()
    entry = json.loads(rest.splitlines()[0])
    assert (entry["route"], entry["status"], entry["method"]) == ("/v1/search", 200, "GET")
    assert "secret" not in rest
    assert "Traceback" not in rest


def test_nothing_that_was_taken_is_lost_when_it_is_asked_to_end_under_load(library):
    with serving(library, "--log", "off") as (process, url, _):
        lost, answered = asyncio.run(load_until_gone(url, process))
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert answered > 50
    assert lost == []


async def load_until_gone(url: str, process: subprocess.Popen[str]) -> tuple[list[str], int]:
    """Sixteen clients ask without pause until the server takes no more: what it lost, and how much it answered."""
    lost: list[str] = []
    answered = 0

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        nonlocal answered
        for count in range(100_000):
            try:
                answer = await client.post("/v1/embeddings", json={"input": f"text {number} {count}"})
            except httpx.ConnectError:
                return  # it was not taken
            except httpx.TransportError as error:
                lost.append(repr(error))
                return
            if answer.status_code != 200:
                lost.append(answer.text)
            answered += 1

    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        clients = [asyncio.ensure_future(ask(client, number)) for number in range(16)]
        while answered <= 50 and not all(client.done() for client in clients):
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        await asyncio.gather(*clients)
    return lost, answered


def test_several_workers_answer_on_one_port_and_count_together(library):
    if cores() < 2:
        pytest.skip("needs two cores")
    with serving(library, "--workers", "2", "--log", "off") as (process, url, _):
        for _ in range(20):
            assert httpx.post(f"{url}/v1/embeddings", json={"input": "nothing"}).status_code == 200
        numbers = httpx.get(f"{url}/metrics").text
        status, rest = ended(process)
    [count] = re.findall(r'lexel_requests_total{[^}]*"/v1/embeddings"[^}]*} (\S+)', numbers)
    assert float(count) == 20
    assert (status, "Traceback" in rest) == (0, False)


def test_workers_that_cannot_load_the_model_are_not_started_again(tmp_path):
    command = [sys.executable, "-m", "lexel", "serve", str(tmp_path), "--port", "0", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_START, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("lexel serve:") == 1


@pytest.mark.parametrize(("host", "is_loud"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
def test_it_is_loud_where_others_can_reach_it(host, is_loud):
    plan = ServePlan("photos.lexel", ServerSettings(), host=host, port=0)
    with listening_socket(plan) as listener:
        lines = ready_lines(plan, listener)
    assert [line.startswith("WARNING") for line in lines] == ([True, False] if is_loud else [False])
    assert ("--api-keys" in lines[0]) == is_loud
    assert re.search(r"ready at http://\S+:\d+ ", lines[-1])


def test_on_this_machine_alone_it_answers_to_its_own_names_and_those_given():
    assert hosts_for("127.0.0.1", ("photos.example",)) == ("localhost", "127.0.0.1", "::1", "photos.example")
    assert hosts_for("0.0.0.0", ()) == ()
    assert hosts_for("0.0.0.0", ("photos.example",)) == ("photos.example",)


def test_what_cannot_be_listened_on_is_said():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(UsageError, match=r"Cannot listen on 127.0.0.1"),
    ):
        listening_socket(ServePlan("a", ServerSettings(), port=taken.getsockname()[1]))
    with pytest.raises(UsageError, match="not an address of this machine"):
        listening_socket(ServePlan("a", ServerSettings(), host="no.such.host.invalid"))
    with pytest.raises(UsageError, match="more than the"):
        check_workers(999)
