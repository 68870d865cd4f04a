"""Sources at an address: an HTTP server of this test, and fsspec's file system in memory."""

import io
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tars import captioned, jpeg, write_tar

from lexel.data import remote
from lexel.data.readers import read_source
from lexel.data.remote import fetch
from lexel.errors import DataError, LexelError, UsageError

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")


class Server(ThreadingHTTPServer):
    """Serves `files`. The next `failures` requests are answered by an error, `cut` of them by half of the content."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files: dict[str, bytes] = {}
        self.failures = self.cut = 0
        self.ranges = True
        self.refused: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.sent = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None: ...

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def _answer(self, with_content: bool) -> None:
        name = self.path.strip("/")
        self.server.asked[f"{self.command} {name}"] += 1
        if self.server.failures:
            self.server.failures -= 1
            return self.send_error(503)
        if name in self.server.refused:
            return self.send_error(403)
        if name not in self.server.files:
            return self.send_error(404)
        content, whole = self.server.files[name], len(self.server.files[name])
        first, last = 0, whole - 1
        wanted = self.headers.get("Range") if self.server.ranges else None
        if wanted:
            first, end = wanted.removeprefix("bytes=").split("-")
            first, last = int(first), min(int(end or last), last)
        self.send_response(206 if wanted else 200)
        if self.server.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("ETag", f'"{hash(content)}"')
        self.end_headers()
        if not with_content:
            return None
        part = content[first : last + 1]
        if self.server.cut and len(part) > 100:
            self.server.cut -= 1
            part = part[: len(part) // 2]
            self.close_connection = True
        self.server.sent += len(part)
        self.wfile.write(part)
        return None


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEXEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.001)


def tar(folder: Path, numbers: range) -> bytes:
    return write_tar(folder / "made.tar", captioned(numbers)).read_bytes()


def test_shards_on_a_server_are_fetched_once(server, tmp_path):
    server.files = {f"s/{n:02d}.tar": tar(tmp_path, range(n * 10, n * 10 + 2)) for n in range(3)}
    text = f"{server.address}/s/{{00..02}}.tar"
    pairs = read_source(text).pairs
    assert [pair.captions[0] for pair in pairs] == [f"picture {n}" for n in (0, 1, 10, 11, 20, 21)]
    assert pairs[3].picture.load().size == (24, 16)
    sent = server.sent
    assert [pair.key for pair in read_source(text).pairs] == [pair.key for pair in pairs]
    assert server.sent == sent


def test_a_changed_file_is_fetched_again(server):
    server.files["t.csv"] = b"first"
    assert fetch(f"{server.address}/t.csv").read_bytes() == b"first"
    server.files["t.csv"] = b"2.nd."
    assert fetch(f"{server.address}/t.csv").read_bytes() == b"2.nd."


@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_that_fails_now_and_then_is_asked_again(server, ranges):
    server.ranges = ranges
    server.files["a.bin"] = bytes(range(256)) * 1000
    server.failures, server.cut = 2, 1
    assert fetch(f"{server.address}/a.bin").read_bytes() == server.files["a.bin"]


def test_a_download_that_was_killed_goes_on_where_it_stopped(server, monkeypatch):
    server.files["a.bin"] = bytes(range(256)) * 4000
    address = f"{server.address}/a.bin"
    monkeypatch.setattr(remote, "CHUNK", 100_000)
    with monkeypatch.context() as context:
        context.setattr(remote, "show_downloads", _interrupting)
        with pytest.raises(KeyboardInterrupt):
            fetch(address)
    sent = server.sent
    assert fetch(address).read_bytes() == server.files["a.bin"]
    assert server.sent - sent < 1_024_000 - 200_000


class _interrupting:  # noqa: N801 - it stands in for a function
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def __call__(self, name, have, size):
        if have >= 300_000:
            raise KeyboardInterrupt


def test_without_a_network_the_copy_is_used_and_without_a_copy_the_message_is_clear(server, capsys):
    server.files["t.csv"] = b"content"
    address = f"{server.address}/t.csv"
    fetch(address)
    server.shutdown()
    server.server_close()
    assert fetch(address).read_bytes() == b"content"
    assert f"{address} cannot be reached; the copy fetched before is used." in capsys.readouterr().err
    with pytest.raises(DataError, match="cannot be reached") as caught:
        read_source(f"{server.address}/{{0..3}}.tar")
    assert len(str(caught.value).splitlines()) == 2


def test_what_is_not_there_or_not_allowed_is_said_at_once(server):
    server.refused.add("secret.tar")
    with pytest.raises(UsageError, match=r"There is no http.*gone\.tar"):
        read_source(f"{server.address}/gone.tar")
    with pytest.raises(UsageError, match="may not be read"):
        read_source(f"{server.address}/secret.tar")
    assert max(server.asked.values()) <= 3


def test_a_page_in_place_of_a_tar_is_no_tar(server):
    server.files["a.tar"] = b"<html>please log in</html>" * 100
    with pytest.raises(LexelError, match=r"a\.tar is not a tar"):
        read_source(f"{server.address}/a.tar")


def test_a_remote_table_is_read_with_its_splits(server):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = {"image": [{"bytes": jpeg(n)} for n in range(3)], "caption": list("abc"), "split": ["train", "val", "train"]}
    content = io.BytesIO()
    parquet.write_table(pyarrow.table(rows), content)
    server.files["t.parquet"] = content.getvalue()
    assert len(read_source(f"{server.address}/t.parquet").pairs) == 3
    (pair,) = read_source(f"{server.address}/t.parquet/val").pairs
    assert (pair.captions, pair.picture.load().size) == (("b",), (24, 16))


def test_any_file_system_of_fsspec_will_do(tmp_path):
    memory = fsspec.filesystem("memory")
    for number in range(2):
        memory.pipe(f"/bucket/{number}.tar", tar(tmp_path, range(number, number + 1)))
    memory.pipe("/bucket/readme.txt", b"hello")
    assert [pair.captions[0] for pair in read_source("memory://bucket/").pairs] == ["picture 0", "picture 1"]
    assert len(read_source("memory://bucket/{0..1}.tar").pairs) == 2
    with pytest.raises(UsageError, match=r"There is no memory://bucket/7\.tar"):
        read_source("memory://bucket/7.tar")
    memory.pipe("/empty/readme.txt", b"hello")
    with pytest.raises(UsageError, match="holds no shards"):
        read_source("memory://empty/")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org/photos", "neither a table nor a tar"),
        ("nonsense://bucket/a.tar", "not a known kind of address"),
    ],
)
def test_addresses_that_mean_nothing_are_refused(text, expected):
    with pytest.raises(UsageError, match=expected):
        read_source(text)


def test_a_missing_library_is_named():
    pytest.importorskip("fsspec")
    try:
        import s3fs  # noqa: F401
    except ImportError:
        with pytest.raises(UsageError, match="pip install s3fs"):
            read_source("s3://bucket/{0..3}.tar")
