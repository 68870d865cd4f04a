"""Who may send requests: the right host, no other site's page, and a key if keys are required.

A page of any site can let a browser send requests to a server on the same machine. The browser names the site in
`Origin`, and the name that it looked up in `Host`; both are checked, so that neither such a page nor one whose name was
bent to this address (DNS rebinding) gets an answer.
"""

import hmac
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from lexel.server.http.problems import ProblemError
from lexel.server.metrics import ServerMetrics
from lexel.server.settings import ServerSettings

OPEN_PATHS = frozenset({"/", "/health", "/ready", "/openapi.json"})  # without a key
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Access:
    """Middleware; see the module."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: ServerMetrics) -> None:
        self.app = app
        self._metrics = metrics
        self._hosts = {host.lower() for host in settings.allowed_hosts}
        self._origins = set(settings.cors_origins)
        # Digests are of one length, so that comparing them tells nothing of a key, not even its length.
        self._keys = [sha256(key.get_secret_value().encode()).digest() for key in settings.api_keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._check(scope)
        await self.app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        host = headers.get("host", "")
        if self._hosts and _name(host) not in self._hosts:
            raise self._refusal(
                421, "unknown-host", "This server does not accept requests for that host name: see --allow-host."
            )
        if method not in SAFE_METHODS and not self._is_own(headers.get("origin"), host):
            raise self._refusal(
                403, "other-origin", "Pages of other sites may not send this request: see --cors-origin."
            )
        if self._keys and method != "OPTIONS" and not (path in OPEN_PATHS or path.startswith("/web/")):
            self._check_key(headers)

    def _is_own(self, origin: str | None, host: str) -> bool:
        """Whether a request comes from no page at all, a page of this server, or one of an allowed site."""
        if origin is None or "*" in self._origins or origin in self._origins:
            return True
        return urlsplit(origin).netloc.lower() == host.lower()

    def _check_key(self, headers: Headers) -> None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        digest = sha256(given.encode("utf-8", "surrogateescape")).digest()
        matches = [hmac.compare_digest(digest, key) for key in self._keys]  # all, so that time tells nothing
        if not any(matches):
            what = "The API key is not one of this server's." if given else "This server needs an API key."
            raise self._refusal(401, "unauthorized", f"{what} Send it as: Authorization: Bearer KEY")

    def _refusal(self, status: int, kind: str, detail: str) -> ProblemError:
        self._metrics.refused(kind.replace("-", "_"))
        return ProblemError(status, kind, detail)


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()
