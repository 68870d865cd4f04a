"""A Python client of the server: `lexel.Client`, with NumPy arrays and plain objects instead of JSON.

It needs httpx and nothing of the server. Many inputs are sent in several requests; if the server is full, the client
tries again after the time that the server names.
"""

import base64
import io
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import numpy as np

from lexel.errors import LexelError, UsageError
from lexel.extras import missing_library

if TYPE_CHECKING:
    import httpx
    from PIL import Image

TEXTS_PER_REQUEST = 512
IMAGES_PER_REQUEST = 32
BYTES_PER_REQUEST = 16 << 20  # of pictures; one that is larger goes alone
SHORTEST_WAIT = 0.1  # seconds
Item = TypeVar("Item")


class ServerRefusalError(LexelError):
    """The server refused a request or cannot be reached.

    `kind` names the problem; `request_id` is the id of the request in the server's log.
    """

    def __init__(self, message: str, *, status: int = 0, kind: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How well a label fits a picture."""

    label: str
    probability: float  # among the labels given
    match: float  # that it fits, whatever the others are
    cosine: float


@dataclass(frozen=True, slots=True)
class RankedScore:
    """How well a caption fits a picture, or a picture a caption."""

    index: int  # of those given, from 0
    probability: float
    match: float
    cosine: float


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """A photo of the library that was found."""

    id: int
    path: str  # below the folder that was indexed
    score: float | None
    match: float | None
    strength: Literal["strong", "possible", "unlikely"] | None
    caption: str | None
    tags: list[str]
    width: int
    height: int
    taken: str | None
    is_there: bool


class Client:
    """A connection to a server that `lexel serve` runs. Close it when done, or use it in a `with` block.

    Pictures are paths, bytes of files, or PIL images. A refused request raises a LexelError that says why.

    Example:
        with lexel.Client("http://localhost:8000") as client:
            client.embed_texts(["a red bicycle"])              # (1, D) array, float32, unit norm
            client.search("a dog on a beach", top=5)
    """

    def __init__(
        self,
        url: str = "http://localhost:8000",
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        patience: float = 60.0,
    ) -> None:
        """`timeout` is for one request; `patience` is how many seconds to go on trying while the server is full."""
        try:
            import httpx
        except ImportError as error:
            raise missing_library("lexel.Client", "httpx", error) from None
        if not url.startswith(("http://", "https://")):
            raise UsageError(f'"{url}" is not the address of a server. Write it with http:// or https:// before it.')
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        try:
            self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout)
        except httpx.InvalidURL as error:
            raise UsageError(f'"{url}" is not the address of a server: {error}') from None
        self.url = url
        self.patience = patience

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) unit vectors of the texts, float32."""
        parts = [texts[start : start + TEXTS_PER_REQUEST] for start in range(0, len(texts), TEXTS_PER_REQUEST)]
        return self._vectors([{"json": {"input": list(part), "encoding_format": "base64"}} for part in parts])

    def embed_images(self, images: "Iterable[str | PathLike[str] | bytes | Image.Image]") -> np.ndarray:
        """(N, D) unit vectors of the pictures, float32."""
        return self._vectors(
            {"files": [("images", ("picture", content)) for content in part], "data": {"encoding_format": "base64"}}
            for part in _parts(map(_content, images))
        )

    def classify(
        self,
        image: "str | PathLike[str] | bytes | Image.Image",
        labels: Sequence[str],
        templates: str | Sequence[str] = "photo",
        top: int | None = None,
    ) -> list[LabelScore]:
        """The labels for a picture, best first."""
        asked = {"image": _data_url(image), "labels": list(labels), "templates": _plain(templates), "top": top}
        return [LabelScore(**label) for label in self._json("POST", "/v1/classify", json=asked)["labels"]]

    def rank_captions(
        self, image: "str | PathLike[str] | bytes | Image.Image", captions: Sequence[str]
    ) -> list[RankedScore]:
        """The captions for a picture, best first."""
        return self._ranked({"image": _data_url(image), "captions": list(captions)})

    def rank_images(
        self, caption: str, images: "Iterable[str | PathLike[str] | bytes | Image.Image]"
    ) -> list[RankedScore]:
        """The pictures for a caption, best first."""
        return self._ranked({"caption": caption, "images": [_data_url(image) for image in images]})

    def similarity(
        self, images: "Iterable[str | PathLike[str] | bytes | Image.Image]", texts: Sequence[str]
    ) -> np.ndarray:
        """(N images, M texts) cosines, float32."""
        asked = {"images": [_data_url(image) for image in images], "texts": list(texts)}
        return np.array(self._json("POST", "/v1/similarity", json=asked)["cosines"], np.float32)

    def search(
        self,
        text: str | None = None,
        *,
        without: str | Sequence[str] | None = None,
        like: "int | str | PathLike[str] | bytes | Image.Image | None" = None,
        combine: Sequence[dict[str, Any]] = (),
        least: Literal["strong", "possible", "any"] = "any",
        top: int = 20,
        offset: int = 0,
        **filters: Any,
    ) -> list[FoundPhoto]:
        """The photos of the library that fit best, best first; the filters are those of /v1/search, such as `where`."""
        asked = {
            "text": text,
            "without": without if without is None else _plain(without),
            "like": None if like is None else {"id": like} if isinstance(like, int) else {"image": _data_url(like)},
            "combine": list(combine),
            "least": least,
            "top": top,
            "offset": offset,
            **filters,
        }
        return _photos(self._json("POST", "/v1/search", json=asked))

    def similar(self, id: int, *, top: int = 20, offset: int = 0) -> list[FoundPhoto]:
        """The photos most like one of the library, without itself."""
        return _photos(self._json("GET", f"/v1/similar/{int(id)}", params={"top": top, "offset": offset}))

    def photo(self, id: int) -> dict[str, Any]:
        """What the library knows of a photo."""
        return self._json("GET", f"/v1/photos/{int(id)}")

    def thumbnail(self, id: int) -> bytes:
        """A JPEG of a photo, of at most 256 pixels a side."""
        return self._ask("GET", f"/v1/photos/{int(id)}/thumbnail").content

    def image(self, id: int, side: int | None = None) -> bytes:
        """A photo's file or, with `side`, a JPEG of at most so many pixels a side."""
        params = {} if side is None else {"side": side}
        return self._ask("GET", f"/v1/photos/{int(id)}/image", params=params).content

    def add(self, images: "Iterable[str | PathLike[str] | bytes | Image.Image]") -> list[int]:
        """Add pictures to the library and return their ids. Raises ServerRefusalError if one cannot be read."""
        ids: list[int] = []
        for part in _parts(images, lambda image: len(_content(image))):
            files = [("images", (_name(image), _content(image))) for image in part]
            for photo in self._json("POST", "/v1/library", files=files)["photos"]:
                if photo["id"] is None:
                    message = f"{photo['name']} was not added: {photo['error']}"
                    raise ServerRefusalError(message, kind="image-unreadable")
                ids.append(photo["id"])
        return ids

    def remove(self, id: int) -> None:
        """Remove a photo from the library; its file is deleted only where it was uploaded."""
        self._json("DELETE", f"/v1/library/{int(id)}")

    def stats(self) -> dict[str, Any]:
        """The library in numbers."""
        return self._json("GET", "/v1/library")

    def models(self) -> list[dict[str, Any]]:
        """The models that are served."""
        return self._json("GET", "/v1/models")["data"]

    def is_ready(self) -> bool:
        """Whether the server can be reached and accepts requests."""
        import httpx

        try:
            return self._http.get("/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _ranked(self, asked: dict[str, Any]) -> list[RankedScore]:
        answered = self._json("POST", "/v1/rank", json=asked)["ranked"]
        return [RankedScore(one["index"], one["probability"], one["match"], one["cosine"]) for one in answered]

    def _vectors(self, requests: Iterable[dict[str, Any]]) -> np.ndarray:
        rows = [
            np.frombuffer(base64.b64decode(item["embedding"]), "<f4")
            for request in requests
            for item in self._json("POST", "/v1/embeddings", **request)["data"]
        ]
        if not rows:
            return np.zeros((0, self.models()[0]["dimensions"]), np.float32)
        return np.stack(rows).astype(np.float32)

    def _json(self, method: str, path: str, **given: Any) -> Any:
        return self._ask(method, path, **given).json()

    def _ask(self, method: str, path: str, **given: Any) -> "httpx.Response":
        import httpx

        ends = time.monotonic() + self.patience
        while True:
            try:
                answer = self._http.request(method, path, **given)
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
                raise ServerRefusalError(f"{self.url} does not answer: {reason}", kind="unreachable") from None
            if answer.is_success:
                return answer
            wait = _seconds_to_wait(answer)
            if wait is None or time.monotonic() + wait > ends:
                raise _refusal(answer)
            time.sleep(wait)


def _seconds_to_wait(answer: "httpx.Response") -> float | None:
    """When to try again; None if that would not help."""
    given = answer.headers.get("Retry-After", "")
    if answer.status_code not in (429, 503) or not given.isdigit():
        return None
    return max(SHORTEST_WAIT, float(given))


def _refusal(answer: "httpx.Response") -> ServerRefusalError:
    try:
        problem = answer.json()
        detail, kind = str(problem["detail"]), str(problem["type"]).rpartition(":")[2]
        request_id = str(problem.get("request_id", ""))
    except (ValueError, KeyError, TypeError):  # a proxy's own page
        detail, kind, request_id = f"{answer.status_code} {answer.reason_phrase}", "", ""
    return ServerRefusalError(detail, status=answer.status_code, kind=kind, request_id=request_id)


def _photos(answered: dict[str, Any]) -> list[FoundPhoto]:
    names = [field.name for field in fields(FoundPhoto)]
    return [FoundPhoto(**{name: hit[name] for name in names}) for hit in answered["hits"]]


def _parts(items: Iterable[Item], size_of: Any = len) -> Iterator[list[Item]]:
    """Pictures in parts that one request may hold."""
    part: list[Item] = []
    size = 0
    for item in items:
        length = size_of(item)
        if part and (len(part) == IMAGES_PER_REQUEST or size + length > BYTES_PER_REQUEST):
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part


def _content(image: "str | PathLike[str] | bytes | Image.Image") -> bytes:
    """The bytes of a picture's file. Raises UsageError if it is not a picture."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | PathLike):
        try:
            return Path(image).expanduser().read_bytes()
        except OSError as error:
            raise UsageError(f"Cannot read {image}: {error.strerror}.") from None
    if not hasattr(image, "save"):
        raise UsageError(f"A picture is a path, bytes of a file, or a PIL image, not a {type(image).__name__}.")
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _name(image: object) -> str:
    return Path(image).name if isinstance(image, str | PathLike) else "picture"


def _data_url(image: "str | PathLike[str] | bytes | Image.Image") -> str:
    return f"data:;base64,{base64.b64encode(_content(image)).decode()}"


def _plain(given: str | Sequence[str]) -> str | list[str]:
    return given if isinstance(given, str) else list(given)
