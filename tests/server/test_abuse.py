"""What strangers send: no answer of the server's own fault, nothing kept, and the next good request answered."""

import io
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import pytest
from live_server import live_server
from serving import data_url, png

from lexel.server.settings import ServerSettings

LIMITS = ServerSettings(
    max_body_bytes=200_000, max_bodies_bytes=300_000, max_connections=60, header_seconds=0.5, body_seconds=0.7,
    keep_alive_seconds=5, max_pixels=1_000_000,
)  # fmt: skip


@pytest.fixture(scope="module")
def server(model) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, live_server(model, LIMITS) as url:
        patch.setattr("lexel.server.http.admission.LINGER_SECONDS", 0.2)
        yield url


@pytest.fixture(autouse=True)
def still_answers(server) -> Iterator[None]:
    """After each test, whatever it did: the next good request is answered."""
    yield
    answer = httpx.post(f"{server}/v1/embeddings", json={"input": "a red circle"}, timeout=20)
    assert answer.status_code == 200


def connect(server: str) -> socket.socket:
    address = urlsplit(server)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def talk(server: str, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send pieces over one connection; all that comes back until the server closes it."""
    with closing(connect(server)) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        except OSError:
            pass  # it was closed on us
        return receive_all(connection)


def receive_all(connection: socket.socket) -> bytes:
    received = b""
    try:
        while piece := connection.recv(1 << 16):
            received += piece
    except ConnectionResetError:
        pass
    return received


def head(path: str = "/v1/embeddings", **headers: object) -> bytes:
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{fields}\r\n".encode()


def test_a_body_of_four_gigabytes_is_refused_by_its_head(server):
    answer = talk(server, head(Content_Length=4 << 30), b"x" * 1000)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"body-too-large" in answer
    assert b"connection: close" in answer.lower()


def test_an_endless_chunked_body_is_refused_when_it_is_too_large(server):
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    answer = talk(server, head(Transfer_Encoding="chunked"), *[chunk] * 10)
    assert b" 413 " in answer.partition(b"\r\n")[0] or answer == b""  # closed while we were still sending


def test_an_unread_body_does_not_keep_a_connection(server):
    answer = talk(server, head("/nothing/here", Transfer_Encoding="chunked"), b"5\r\nhello\r\n")
    assert answer.startswith(b"HTTP/1.1 404 ")


def test_a_head_that_comes_letter_by_letter_is_cut_off(server):
    began = time.monotonic()
    assert talk(server, *[bytes([letter]) for letter in head()[:40]], pause=0.03).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 15


def test_a_silent_connection_is_closed(server):
    assert talk(server).startswith(b"HTTP/1.1 408 ")


def test_an_endless_head_is_cut_off(server):
    lines = [b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(60)]
    answer = talk(server, b"GET /health HTTP/1.1\r\nHost: localhost\r\n", *lines)
    assert answer.startswith(b"HTTP/1.1 431 ") or answer == b""


def test_endless_trailers_are_cut_off(server):
    trailers = [b"X-%d: %s\r\n" % (i, b"y" * 4000) for i in range(60)]
    talk(server, head(Transfer_Encoding="chunked"), b"0\r\n", *trailers)


def test_a_body_that_stops_is_given_up(server):
    answer = talk(server, head(Content_Length=100), b'{"input": ')
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_half_closed_and_abandoned_connections_leave_nothing(server):
    for finish in ("half", "reset", "close"):
        for _ in range(10):
            connection = connect(server)
            connection.sendall(head(Content_Length=20) + b'{"input": "a"')
            if finish == "half":
                connection.shutdown(socket.SHUT_WR)
                receive_all(connection)
            elif finish == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()


def test_more_connections_than_allowed_are_turned_away_at_once(server):
    held = [connect(server) for _ in range(90)]
    for connection in held:  # the idle ones too are closed by the server, a little later
        with closing(connection):
            receive_all(connection)


def test_bodies_that_are_too_large_together_are_refused_while_the_first_are_read(server):
    first = connect(server)
    first.sendall(head(Content_Length=190_000) + b" " * 10)
    time.sleep(0.1)
    answer = httpx.post(f"{server}/v1/embeddings", content=b" " * 150_000, timeout=20)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    first.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        head(Content_Length="-5"),
        head(Content_Length="1e3"),
        head(Content_Length="5", Transfer_Encoding="chunked"),
        head(Transfer_Encoding="gzip, chunked"),
        b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 7\r\n\r\nabc",
    ],
)  # fmt: skip
def test_what_is_no_http_is_closed_without_a_fault(server, sent):
    answer = talk(server, sent)
    assert not answer.startswith(b"HTTP/1.1 5")


@pytest.mark.parametrize(
    "path",
    ["/v1/photos/../../../etc/passwd", "/web/../../../../etc/passwd", "/web/%2e%2e/%2e%2e/app.py", "/v1/models/../x",
     "/web/..%5c..%5capp.py", "/v1/photos/1%00/image", "/v1/photos/-1", "/v1/photos/1e9", f"/v1/photos/{10**40}",
     "//etc/passwd"],
)  # fmt: skip
def test_no_path_leads_out(server, path):
    answer = talk(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ", 2)[1] in (b"404", b"422")
    assert b"root:" not in answer


def bomb_png(side: int) -> bytes:
    """A PNG whose header promises side × side pixels and whose data compresses a thousandfold."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (min(side, 4000) * 4000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def odd_pictures() -> dict[str, bytes]:
    gif = io.BytesIO()
    from PIL import Image

    frames = [Image.new("L", (50, 50), n) for n in range(20)]
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:])
    return {
        "a bomb": bomb_png(12_000),
        "a promise": bomb_png(900),
        "half": png("red", (300, 300))[:200],
        "many frames": gif.getvalue(),
        "an svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        "nothing": b"",
        "zeros": b"\0" * 10_000,
    }


@pytest.mark.parametrize("name", odd_pictures())
def test_odd_pictures_are_refused_or_embedded(server, name):
    content = odd_pictures()[name]
    for asked in ({"json": {"input": [{"image": data_url(content)}]}}, {"files": {"images": content}}):
        answer = httpx.post(f"{server}/v1/embeddings", timeout=60, **asked)
        assert answer.status_code in (200, 413, 422), answer.text
        if name == "a bomb":
            assert "over the limit" in answer.text


@pytest.mark.parametrize(
    "content",
    [
        b"--x\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="images"\r\n\r\n' + b"a" * 1000,
        b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' for _ in range(3000)) + b"--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\na\r\n--x--\r\n',
    ],
)
def test_broken_forms_are_refused(server, content):
    answer = httpx.post(
        f"{server}/v1/embeddings", content=content, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert 400 <= answer.status_code < 500, answer.text
    no_boundary = httpx.post(f"{server}/v1/embeddings", content=b"a", headers={"content-type": "multipart/form-data"})
    assert no_boundary.status_code == 400


def test_pipelined_requests_are_answered_in_order(server):
    one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = talk(server, one * 20 + last)
    assert answer.count(b"HTTP/1.1 200 ") == 20
    assert answer.count(b"HTTP/1.1 404 ") == 1
