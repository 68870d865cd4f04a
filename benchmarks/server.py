"""A server under load: what `lexel serve` answers a second, and how soon, from 1 client to 256.

    python benchmarks/server.py [--model FOLDER] [--clients 1,8,64,256] [--seconds 5] [--rounds 3] [--infinity PYTHON]

Beside it stand the Encoder without a server, all inputs at once (offline); a server that people write in ten lines,
which embeds one request at a time (plain); and infinity, where `--infinity` (or LEXEL_INFINITY) names the Python of an
environment that has it, and `--infinity-model` the same model in transformers' format. All have the same ViT-B/32 of
random weights unless `--model` is given, and the same cores. Load comes from an asyncio client on loopback that shares
these cores; each client asks again as soon as it is answered. No two inputs are equal, so nothing comes from a cache.
The contestants take turns within each round. Then requests arrive at random (Poisson) at half of what the server
answered at 64 clients. Prints medians over the rounds, and ratios; with `--flat N` also the server's memory while it
answers N requests. With --json the same for programs.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from encode import _make_random_model, make_pictures, read_captions

KINDS = ("text", "image")
OFFLINE_INPUTS = {"text": 512, "image": 32}
START_SECONDS = 300.0
PLAIN = """
import sys
import uvicorn
from fastapi import FastAPI, Request
import lexel

encoder, app = lexel.load(sys.argv[1]), FastAPI()

@app.post("/v1/embeddings")
def embed(asked: dict):
    return {"data": [{"embedding": row.tolist()} for row in encoder.embed_texts([asked["input"]])]}

@app.post("/image")
async def embed_image(request: Request):
    content = await request.body()
    return {"data": [{"embedding": encoder.embed_images([content])[0].tolist()}]}

print("ready at http://127.0.0.1:" + sys.argv[2], file=sys.stderr, flush=True)
uvicorn.run(app, port=int(sys.argv[2]), log_level="critical")
"""


@dataclass
class Load:
    """What came of a load: seconds of each request that was answered, how long it lasted, and the processor's time."""

    latencies: list[float]
    seconds: float
    cpu_seconds: float  # of the server
    refused: int = 0

    @property
    def cpu_ms(self) -> float:
        """Of the server's processor time, for each request."""
        return 1000 * self.cpu_seconds / max(1, len(self.latencies))

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        return float(np.percentile(self.latencies, share)) if self.latencies else float("nan")


@dataclass
class Served:
    """A server, and its measurements by kind of input and number of clients."""

    name: str
    url: str
    process: subprocess.Popen
    path: dict[str, str]
    loads: dict[tuple[str, int], list[Load]] = field(default_factory=lambda: defaultdict(list))


class Inputs:
    """Texts and pictures of which no two are equal."""

    def __init__(self, work: Path) -> None:
        make_pictures(work / "pictures", 16, 640, 480)
        self._pictures = [file.read_bytes() for file in sorted((work / "pictures").glob("*.jpg"))]
        self._captions = read_captions()
        self._number = 0

    def text(self) -> str:
        self._number += 1
        return f"{self._captions[self._number % len(self._captions)]} {self._number}"

    def image(self) -> bytes:
        self._number += 1  # behind the end of a JPEG, where no decoder looks
        return self._pictures[self._number % len(self._pictures)] + b"%d" % self._number

    def request(self, kind: str, served: "Served") -> bytes:
        """A whole HTTP request for one input."""
        path = served.path[kind]
        if kind == "text":
            model = {"model": "b32"} if served.name == "infinity" else {}
            body, content_type = json.dumps({"input": self.text(), **model}).encode(), "application/json"
        elif path == "/v1/embeddings":
            head = b'--b\r\nContent-Disposition: form-data; name="images"; filename="a.jpg"\r\n\r\n'
            body, content_type = head + self.image() + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"
        else:
            body, content_type = self.image(), "application/octet-stream"
        return (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body


class Connection:
    """One connection of a client that costs next to nothing: the load shares the cores with the server."""

    def __init__(self, url: str) -> None:
        self.host, self.port = url.removeprefix("http://").split(":")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> int:
        """Send a request and read its answer; the status."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self.host, int(self.port), limit=1 << 20)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        await reader.readexactly(int(found[1]) if found else 0)
        if b"connection: close" in head.lower():
            self.close()
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def closed_load(server: Served, kind: str, inputs: Inputs, clients: int, seconds: float) -> Load:
    """So many clients ask again and again for this long; until the last is answered, all counts."""
    began, cpu = time.perf_counter(), cpu_seconds(server.process)
    latencies: list[float] = []
    refused = 0

    async def client() -> None:
        nonlocal refused
        connection = Connection(server.url)
        while time.perf_counter() < began + seconds:
            request = inputs.request(kind, server)
            asked = time.perf_counter()
            if await connection.ask(request) == 200:
                latencies.append(time.perf_counter() - asked)
            else:
                refused += 1
                await asyncio.sleep(0.05)
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return Load(latencies, time.perf_counter() - began, cpu_seconds(server.process) - cpu, refused)


async def open_load(server: Served, kind: str, inputs: Inputs, rate: float, seconds: float) -> Load:
    """Requests arrive at random times at this rate, whether or not the ones before are answered."""
    random = np.random.default_rng(0)
    free: list[Connection] = []
    latencies: list[float] = []
    refused = 0

    async def one() -> None:
        nonlocal refused
        connection = free.pop() if free else Connection(server.url)
        request = inputs.request(kind, server)
        asked = time.perf_counter()
        status = await connection.ask(request)
        if status == 200:
            latencies.append(time.perf_counter() - asked)
        else:
            refused += 1
        free.append(connection)

    tasks, began, cpu = [], time.perf_counter(), cpu_seconds(server.process)
    due = began
    while due < began + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.ensure_future(one()))
        due += random.exponential(1 / rate)
    await asyncio.gather(*tasks)
    for connection in free:
        connection.close()
    return Load(latencies, seconds, cpu_seconds(server.process) - cpu, refused)


@contextmanager
def server(name: str, command: list[str], path: dict[str, str], url: str | None = None) -> Iterator[Served | None]:
    """Start a server and wait until it says that it is ready, or say why it is skipped."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    said: list[str] = []
    try:
        for line in process.stderr:
            said.append(line.strip())
            found = re.search(r"(?:ready at|running on) (http://[^ ]+:\d+)", line)
            if found:
                address = (url or found[1]).replace("localhost", "127.0.0.1").replace("0.0.0.0", "127.0.0.1")
                asyncio.run(asyncio.sleep(1))
                os.set_blocking(process.stderr.fileno(), False)
                yield Served(name, address, process, path)
                break
        else:
            print(f"{name} is skipped: {said[-1] if said else 'no message'}", file=sys.stderr)
            yield None
    finally:
        process.terminate()
        process.wait()


def offline(model: Path, kind: str) -> str:
    """The command of a process that embeds inputs given in a file, and prints how many a second and the
    processor's milliseconds for each."""
    return f"""
import json, sys, time, pathlib
import lexel
encoder = lexel.load({str(model)!r})
folder = pathlib.Path(sys.argv[1])
given = json.loads((folder / "texts.json").read_text()) if {kind!r} == "text" else [
    file.read_bytes() for file in sorted((folder / "offline").iterdir())]
embed = encoder.embed_texts if {kind!r} == "text" else encoder.embed_images
embed(given[:8])
for line in sys.stdin:
    began, cpu = time.perf_counter(), time.process_time()
    embed(given)
    print(len(given) / (time.perf_counter() - began), 1000 * (time.process_time() - cpu) / len(given), flush=True)
"""


class Offline:
    """The Encoder in a process of its own, asked for one round at a time."""

    def __init__(self, model: Path, kind: str, work: Path) -> None:
        command = [sys.executable, "-c", offline(model, kind), str(work)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.rates: list[float] = []
        self.cpu_ms: list[float] = []

    def round(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        rate, cpu_ms = map(float, self._process.stdout.readline().split())
        self.rates.append(rate)
        self.cpu_ms.append(cpu_ms)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def cpu_seconds(process: subprocess.Popen) -> float:
    """The processor time that a process has taken so far, all its threads together."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(process: subprocess.Popen) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


def flat_memory(served: Served, inputs: Inputs, requests: int) -> list[tuple[int, float]]:
    """(requests answered, resident MB) along so many requests of texts, ten points."""
    points: list[tuple[int, float]] = []
    answered = 0
    while answered < requests:
        load = asyncio.run(closed_load(served, "text", inputs, 64, 5.0))
        answered += len(load.latencies)
        if not points or answered - points[-1][0] >= requests / 10:
            points.append((answered, resident_megabytes(served.process)))
    return [*points, (answered, resident_megabytes(served.process))]


def median(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")


def row(name: str, loads: list[Load], alone: Offline) -> str:
    def ms(share: float) -> str:
        return f"{1000 * median([load.percentile(share) for load in loads]):.0f}"

    rate, cpu = median([load.rate for load in loads]), median([load.cpu_ms for load in loads])
    of_offline = f"{rate / median(alone.rates):.2f} | {cpu:.1f} | {median(alone.cpu_ms) / cpu:.2f}"
    return f"| {name} | {rate:.1f} | {of_offline} | {ms(50)} | {ms(95)} | {ms(99)} |"


def measure(arguments: argparse.Namespace, work: Path) -> dict[str, object]:
    model = arguments.model or work / "lexel"
    if arguments.model is None:
        _make_random_model(model)
    inputs = Inputs(work)
    (work / "texts.json").write_text(json.dumps([inputs.text() for _ in range(OFFLINE_INPUTS["text"])]))
    (work / "offline").mkdir()
    for number in range(OFFLINE_INPUTS["image"]):
        (work / "offline" / f"{number}.jpg").write_bytes(inputs.image())
    clients = [int(count) for count in arguments.clients.split(",")]
    with ExitStack() as stack:
        started = [stack.enter_context(one) for one in contestants(arguments, model)]
        servers = [one for one in started if one is not None]
        alone = {kind: Offline(model, kind, work) for kind in KINDS}
        for kind in KINDS:
            stack.callback(alone[kind].close)
        for number in range(arguments.rounds):
            print(f"round {number + 1}", file=sys.stderr)
            for kind in KINDS:
                alone[kind].round()
                for count in clients:
                    for served in servers:
                        if kind in served.path and (served.name == "lexel" or count <= 64):
                            load = asyncio.run(closed_load(served, kind, inputs, count, arguments.seconds))
                            served.loads[kind, count].append(load)
        lexel = servers[0]
        half: dict[str, Load] = {}
        for kind in KINDS:
            rate = 0.5 * median([load.rate for load in lexel.loads[kind, 64 if 64 in clients else clients[-1]]])
            half[kind] = asyncio.run(open_load(lexel, kind, inputs, rate, 4 * arguments.seconds))
        memory = flat_memory(lexel, inputs, arguments.flat) if arguments.flat else []
    report(clients, servers, alone, half, memory)
    return {
        "machine": platform.processor() or platform.machine(),
        "offline": {
            kind: {"rate": median(alone[kind].rates), "cpu_ms": median(alone[kind].cpu_ms)} for kind in KINDS
        },
        "servers": {
            one.name: {
                f"{kind} {count}": {
                    "rate": median([load.rate for load in loads]),
                    "cpu_ms": median([load.cpu_ms for load in loads]),
                    **{f"p{p}": median([load.percentile(p) for load in loads]) for p in (50, 95, 99)},
                    "refused": sum(load.refused for load in loads),
                }
                for (kind, count), loads in one.loads.items()
            }
            for one in servers
        },
        "half": {kind: {"rate": load.rate, "p50": load.percentile(50), "p99": load.percentile(99)}
                 for kind, load in half.items()},
        "memory": memory,
    }  # fmt: skip


def contestants(arguments: argparse.Namespace, model: Path) -> list:
    both = {"text": "/v1/embeddings", "image": "/v1/embeddings"}
    command = [sys.executable, "-m", "lexel", "serve", str(model), "--port", "0", "--log", "off"]
    found = [server("lexel", command, both)]
    plain = [sys.executable, "-c", PLAIN, str(model), "18231"]
    found.append(server("plain", plain, {"text": "/v1/embeddings", "image": "/image"}))
    if arguments.infinity:
        command = [
            arguments.infinity, "-m", "infinity_emb", "v2", "--model-id", str(arguments.infinity_model),
            "--served-model-name", "b32", "--port", "18232", "--device", "cpu", "--engine", "torch",
            "--no-bettertransformer", "--url-prefix", "/v1",
        ]  # fmt: skip
        found.append(server("infinity", command, {"text": "/v1/embeddings"}, "http://127.0.0.1:18232"))
    else:
        print("infinity is skipped: name the Python of its environment with --infinity", file=sys.stderr)
    return found


def report(
    clients: list[int],
    servers: list[Served],
    alone: dict[str, Offline],
    half: dict[str, Load],
    memory: list[tuple[int, float]],
) -> None:
    for kind in KINDS:
        one = alone[kind]
        print(
            f"\n**{kind}**, requests of one each; the Encoder offline: {median(one.rates):.1f} a second, "
            f"{median(one.cpu_ms):.1f} ms of processor time each\n"
        )
        print("| | a second | of offline | processor ms | of offline | p50 ms | p95 ms | p99 ms |")
        print("|---|---|---|---|---|---|---|---|")
        for count in clients:
            for served in servers:
                if loads := served.loads.get((kind, count)):
                    print(row(f"{served.name}, {count} clients", loads, one))
        print(row("lexel, half of that load", [half[kind]], one))
        print(f"\np99 / p50 at half load: {half[kind].percentile(99) / half[kind].percentile(50):.2f}")
    for answered, megabytes in memory:
        print(f"{answered:>9,} requests  {megabytes:7.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a model folder instead of a ViT-B/32 of random weights")
    parser.add_argument("--clients", default="1,8,64,256")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flat", type=int, default=0, help="requests along which memory is watched")
    parser.add_argument("--infinity", default=os.environ.get("LEXEL_INFINITY"), help="Python that has infinity")
    parser.add_argument("--infinity-model", type=Path, help="the same model in transformers' format, for infinity")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        numbers = measure(arguments, Path(work))
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
