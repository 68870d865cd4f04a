"""Files at an address (`s3://`, `gs://`, `hf://`, `https://`): copied into Lexel's cache folder, and read from there.

A copy is taken again when size, time or tag of the file at the address have changed. A download that breaks off is
tried again, from where it stopped. Where the address cannot be reached, the copy of before is used, and that is said.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lexel.errors import DataError, LexelError, UsageError
from lexel.extras import missing_library
from lexel.files import UNFINISHED, cache_folder, make_folder, write_atomically
from lexel.progress import say, show_downloads

ATTEMPTS = 4
FIRST_WAIT = 0.5  # seconds before the second attempt; doubled before each further one
CHUNK = 4 << 20  # bytes
AT_ONCE = 4  # downloads

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
_VERSION_FIELDS = ("size", "ETag", "etag", "md5Hash", "checksum", "blob_id", "mtime", "LastModified", "last_modified")
_LIBRARIES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub", "az": "adlfs"}

Show = Callable[[str, int, int | None], None]


def is_remote(name: str) -> bool:
    """Whether it is an address, such as s3://bucket/0001.tar, rather than a path."""
    return bool(_SCHEME.match(name))


def fetch(address: str) -> Path:
    """Where the copy of the file lies. Raises UsageError where there is none, LexelError where it cannot be reached."""
    return fetch_all([address])[0]


def fetch_all(addresses: Sequence[str]) -> list[Path]:
    """The copies of all these files, some fetched at once. Raises as `fetch` does."""
    if not addresses:
        return []
    with show_downloads() as show, ThreadPoolExecutor(min(AT_ONCE, len(addresses))) as pool:
        return list(pool.map(lambda address: _fetch(address, show), addresses))


def list_folder(address: str) -> list[str]:
    """The addresses of the files in a folder, by name. Raises as `fetch` does."""
    system, path = _system(address)
    try:
        found = _persist(lambda: system.ls(path.rstrip("/"), detail=False), address)
    except OSError as error:
        raise _failure(address, error) from error
    return sorted(name if is_remote(name) else system.unstrip_protocol(name) for name in found)


def _fetch(address: str, show: Show) -> Path:
    name = address.partition("?")[0].rstrip("/").rpartition("/")[2]
    folder = cache_folder() / "remote" / hashlib.blake2b(address.encode(), digest_size=12).hexdigest()
    copy, stated = folder / name, folder / "version.json"
    before = _read_json(stated)
    system, path = _system(address)
    try:
        version = _version(_persist(lambda: system.info(path), address))
        if copy.exists() and before == version:
            return copy
        make_folder(folder)
        _persist(lambda: _download(system, path, folder / f".{name}{UNFINISHED}", version, name, show), address)
    except OSError as error:
        if copy.exists() and not isinstance(error, FileNotFoundError | PermissionError):
            say(f"{address} cannot be reached; the copy fetched before is used.")
            return copy
        raise _failure(address, error) from error
    (folder / f".{name}{UNFINISHED}").replace(copy)
    write_atomically(stated, json.dumps(version))
    return copy


def _download(system: Any, path: str, part: Path, version: dict[str, Any], name: str, show: Show) -> None:
    """Fetch what is missing of the file. Raises OSError where it ends too early."""
    size = version.get("size")
    mark = part.with_name(f"{part.name}.json")  # of which version the part is
    have = part.stat().st_size if part.exists() and _read_json(mark) == version else 0
    if not have:
        part.unlink(missing_ok=True)
        write_atomically(mark, json.dumps(version))
    with system.open(path, "rb") as remote, part.open("ab") as file:
        if have:
            try:
                remote.seek(have)
            except (OSError, ValueError, NotImplementedError):  # a server that gives whole files only
                have = 0
                file.truncate(0)
        while content := remote.read(CHUNK):
            file.write(content)
            have += len(content)
            show(name, have, size)
    if size is not None and have != size:
        raise OSError(f"{have:,} of {size:,} bytes came")
    mark.unlink()


def _persist(work: Callable[[], Any], address: str) -> Any:
    """The result of the work, tried several times. Raises OSError, whatever the library raises."""
    for attempt in range(ATTEMPTS):
        try:
            return work()
        except (PermissionError, LexelError):
            raise
        except Exception as found:  # any: each library has errors of its own, many of them no OSErrors
            # Of every failure at an HTTP server fsspec says that there is no such file; the cause knows better.
            error = (isinstance(found, FileNotFoundError) and found.__cause__) or found
            if isinstance(error, FileNotFoundError) or getattr(error, "status", None) in (404, 410):
                raise FileNotFoundError(address) from found
            if (status := getattr(error, "status", None)) in (401, 403):
                raise PermissionError(f"the server answers {status}") from error
            if attempt == ATTEMPTS - 1 or type(error).__name__ == "OfflineModeIsEnabled":
                raise OSError(" ".join(str(error).split())[:200] or type(error).__name__) from error
            time.sleep(FIRST_WAIT * 2**attempt)
    raise AssertionError(address)  # the last attempt returns or raises


def _system(address: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise missing_library(f"Reading {address}", "fsspec", error) from None
    scheme = address.partition("://")[0]
    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError:
        library = _LIBRARIES.get(scheme, "aiohttp")
        raise UsageError(f"Reading {address} needs {library}.\n  Install it: pip install {library}") from None
    except ValueError as error:
        raise UsageError(f"{address} is not a known kind of address: {error}") from None
    return system, path


def _version(info: dict[str, Any]) -> dict[str, Any]:
    """What tells a file from a changed one."""
    if info.get("type") == "directory":
        raise IsADirectoryError("it is a folder; end its address with a slash")
    return {name: value if name == "size" else str(value) for name in _VERSION_FIELDS if (value := info.get(name))}


def _failure(address: str, error: OSError) -> LexelError:
    if isinstance(error, FileNotFoundError):
        return UsageError(f"There is no {address}.")
    if isinstance(error, PermissionError):
        return UsageError(f"{address} may not be read: {error}. Log in, or set the credentials of its storage.")
    if isinstance(error, IsADirectoryError):
        return UsageError(f"{address} cannot be read: {error}.")
    return DataError(
        f"{address} cannot be reached: {error}\n  Try again when there is a network: files that were fetched are kept."
    )


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
