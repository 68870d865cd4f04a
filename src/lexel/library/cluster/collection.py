"""One collection of a Qdrant cluster: its address, what is kept about it, and its errors as sentences."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lexel.errors import DataError, UsageError
from lexel.extras import missing_library

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

SCHEMES = {"qdrant://": "http://", "qdrants://": "https://"}
TIMEOUT_SECONDS = 60  # seconds


def is_cluster(given: str | Path) -> bool:
    """Whether this is the address of a collection rather than a library's folder."""
    return str(given).startswith(tuple(SCHEMES))


@dataclass(frozen=True)
class Collection:
    """One collection of a Qdrant cluster. Whatever goes wrong there becomes DataError or UsageError."""

    client: "QdrantClient"
    name: str
    address: str

    @classmethod
    def connect(cls, address: str) -> Self:
        """The collection at qdrant://host:6333/name, or qdrants:// for TLS; its key is taken from QDRANT_API_KEY."""
        scheme = next((scheme for scheme in SCHEMES if address.startswith(scheme)), None)
        server, _, name = address.removeprefix(scheme or "").rstrip("/").partition("/")
        if scheme is None or not server or not name or "/" in name:
            raise UsageError(f"{address} is no collection. Write qdrant://host:6333/photos")
        try:
            from qdrant_client import QdrantClient
        except ImportError as error:
            raise missing_library("A library on a cluster", "qdrant_client", error) from None
        key = os.environ.get("QDRANT_API_KEY")
        url = SCHEMES[scheme] + server
        return cls(
            QdrantClient(url=url, api_key=key, timeout=TIMEOUT_SECONDS, check_compatibility=False), name, address
        )

    @property
    def exists(self) -> bool:
        with self.translated_errors():
            return self.client.collection_exists(self.name)

    @property
    def facts(self) -> dict[str, Any]:
        """Fingerprint, model, dimensions and highest number of a photo, as they were put there."""
        with self.translated_errors():
            return self.client.get_collection(self.name).config.metadata or {}

    @property
    def count(self) -> int:
        """How many photos it holds."""
        with self.translated_errors():
            return self.client.get_collection(self.name).points_count or 0

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Errors of the server or the way to it as a sentence."""
        from qdrant_client.http.exceptions import ApiException, ResponseHandlingException

        try:
            yield
        except RuntimeError as error:  # all that the client and httpx say of it
            if "closed" not in str(error):
                raise
            raise UsageError(f"The library {self.address} has been closed. Open it again.") from None
        except ResponseHandlingException as error:
            raise DataError(f"{self.address} does not answer: {error.source}") from None
        except ApiException as error:
            raise DataError(f"{self.address} refuses: {str(error).partition(chr(10))[0]}") from None
