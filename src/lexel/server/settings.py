"""Every limit of the server, with its unit. A request beyond a limit is refused with its name, never cut silently."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr

from lexel.config import Config
from lexel.errors import UsageError

MIB = 1 << 20
MIN_KEY_LENGTH = 16  # characters


class ServerSettings(Config):
    """What the server allows. The defaults suit one machine of a few cores."""

    # of one request
    max_body_bytes: PositiveInt = 32 * MIB
    max_image_bytes: PositiveInt = 20 * MIB
    max_pixels: PositiveInt = 50_000_000  # of a picture as it is stored
    max_images: PositiveInt = 128
    max_texts: PositiveInt = 2048
    max_text_characters: PositiveInt = 10_000  # of one text
    max_labels: PositiveInt = 1000
    max_templates: PositiveInt = 32
    max_results: PositiveInt = 10_000  # hits that may be paged through

    # of all requests at once
    max_connections: PositiveInt = 2048
    max_requests: PositiveInt = 1024
    max_bodies_bytes: PositiveInt = 256 * MIB
    max_waiting_texts: PositiveInt = 8192
    max_waiting_images: PositiveInt = 1024

    # of time
    header_seconds: PositiveFloat = 10.0  # until the head of a request is there
    body_seconds: PositiveFloat = 60.0  # until its body is
    request_seconds: PositiveFloat = 60.0  # until its answer is
    keep_alive_seconds: PositiveInt = 30  # that a connection may stay unused
    drain_seconds: PositiveInt = 30  # that requests may take to end when the server is asked to

    # of batching
    batch_wait_ms: NonNegativeFloat = 2.0  # for more inputs, where others are about
    cache_bytes: NonNegativeInt = 64 * MIB  # of vectors that are remembered

    # of access
    api_keys: tuple[SecretStr, ...] = ()
    cors_origins: tuple[str, ...] = ()  # other sites whose pages may ask; "*": all
    allowed_hosts: Annotated[tuple[str, ...], Field(description="names in the Host header; empty: any")] = ()
    read_only: bool = False  # the library is searched, not changed


def read_keys(path: Path) -> tuple[SecretStr, ...]:
    """The API keys in a file, one a line; empty lines and lines that begin with # are skipped. Raises UsageError."""
    try:
        lines = path.expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise UsageError(f"The API keys cannot be read from {path}: {reason}.") from None
    keys = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not keys:
        raise UsageError(f"{path} holds no API key. Write one a line, such as: openssl rand -hex 32 > {path}")
    for number, key in enumerate(keys, start=1):
        if len(key) < MIN_KEY_LENGTH or not key.isascii() or " " in key:
            raise UsageError(
                f"Key {number} of {path} cannot be used: it has {MIN_KEY_LENGTH} ASCII characters or more, no space."
            )
    return tuple(SecretStr(key) for key in keys)
