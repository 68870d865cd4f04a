"""A stand-in for the Hugging Face hub on this machine: what huggingface_hub asks for, and no more.

Large files (`.safetensors`, `.bin`) lie on another host, as the real hub's do: a HEAD of them is answered by a redirect
to `localhost`, while the hub itself is `127.0.0.1`. It can be told to cut, damage or refuse.
"""

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34


@dataclass
class StandInHub:
    """Repositories by name, each a table of file name → content; `plain` are files by path at plain URLs."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    plain: dict[str, bytes] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(
        default_factory=dict
    )  # of a file: after how many bytes to hang up, one at a time
    damaged: set[str] = field(default_factory=set)  # files sent with one byte changed
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)  # repository → (status, X-Error-Code)
    ignores_ranges: bool = False
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)  # (method, path, headers)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def gets(self, file: str) -> list[dict[str, str]]:
        """The headers of each GET of a file's content."""
        return [headers for method, path, headers in self.requests if method == "GET" and path.endswith("/" + file)]

    def serve(self) -> ThreadingHTTPServer:
        hub = self

        class Handler(_Handler):
            stand_in = hub

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandInHub

    def log_message(self, *_: object) -> None: ...

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.stand_in.requests.append((self.command, path, {k.lower(): v for k, v in self.headers.items()}))
        if match := re.fullmatch(r"/api/models/(.+)/revision/(.+)", path):
            self._list(match[1], match[2])
        elif match := re.fullmatch(r"/(.+)/resolve/([^/]+)/(.+)", path):
            self._resolve(match[1], match[2], match[3])
        elif match := re.fullmatch(r"/cdn/(.+)/([^/]+)", path):
            self._send(match[2], self.stand_in.repositories[match[1]][match[2]], {})
        elif path in self.stand_in.plain:
            self._send(path.rpartition("/")[2], self.stand_in.plain[path], {})
        else:
            self._refuse(404, "")

    def _known(self, repository: str, revision: str) -> bool:
        if repository in self.stand_in.refusals:
            self._refuse(*self.stand_in.refusals[repository])
        elif repository not in self.stand_in.repositories:
            self._refuse(404, "RepoNotFound")
        elif revision not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound")
        else:
            return True
        return False

    def _list(self, repository: str, revision: str) -> None:
        if self._known(repository, revision):
            files = self.stand_in.repositories[repository]
            siblings = [{"rfilename": name, "size": len(content)} for name, content in files.items()]
            body = json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode()
            self._send("", body, {"Content-Type": "application/json"})

    def _resolve(self, repository: str, revision: str, file: str) -> None:
        if not self._known(repository, revision):
            return
        content = self.stand_in.repositories[repository].get(file)
        if content is None:
            self._refuse(404, "EntryNotFound")
        elif file.endswith((".safetensors", ".bin")):
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.stand_in.port}/cdn/{repository}/{file}")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            self._send(file, content, {"X-Repo-Commit": COMMIT, "ETag": f'"{git}"'})

    def _send(self, file: str, content: bytes, headers: dict[str, str]) -> None:
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and not self.stand_in.ignores_ranges:
            start = int(wanted[1])
            if start >= len(content):
                self._refuse(416, "", {"Content-Range": f"bytes */{len(content)}"})
                return
            headers = {**headers, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        body = content[start:]
        self.send_response(206 if start else 200)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if file in self.stand_in.damaged:
            body = body[:-1] + bytes([body[-1] ^ 1])
        if cuts := self.stand_in.cuts.get(file):
            body = body[: max(0, cuts.pop(0) - start)]
            self.close_connection = True
        self.wfile.write(body)

    def _refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"X-Error-Code": code, "Content-Length": "0", **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
