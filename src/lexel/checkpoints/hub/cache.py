"""The files of hub repositories and of plain URLs on this machine, and fetching them into place."""

import importlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

from lexel.downloads import Progress, RemoteFile, download
from lexel.errors import LexelError, UsageError
from lexel.extras import missing_library
from lexel.files import cache_folder, cache_home

_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class UnreachableError(LexelError):
    """There is no way to the hub from here, or none is wanted (HF_HUB_OFFLINE)."""


class RefusedError(UsageError):
    """The hub answers, but does not give the files."""


@dataclass(frozen=True)
class Repository:
    """A model repository on the hub at one revision."""

    name: str
    revision: str = "main"

    @property
    def folder_name(self) -> str:
        """What its folder in the hub's cache is called."""
        return f"models--{self.name.replace('/', '--')}"


@dataclass(frozen=True)
class Listing:
    """What a repository holds on the hub: the commit, and file names with their sizes in bytes."""

    repository: Repository
    commit: str
    files: dict[str, int]


def hub_folder() -> Path:
    """huggingface_hub's cache: HF_HUB_CACHE, or below HF_HOME, or below ~/.cache. Known without that library."""
    if own := os.environ.get("HF_HUB_CACHE"):
        return Path(own).expanduser()
    home = os.environ.get("HF_HOME")
    return (Path(home).expanduser() if home else cache_home() / "huggingface") / "hub"


def is_offline() -> bool:
    return bool(_hub().constants.HF_HUB_OFFLINE)


def folder(repository: Repository) -> Path | None:
    """Where what is here of the repository at its revision lies, or None when nothing is."""
    base = hub_folder() / repository.folder_name
    reference = base / "refs" / repository.revision
    commit = reference.read_text().strip() if reference.is_file() else repository.revision
    found = base / "snapshots" / commit
    return found if found.is_dir() else None


def names(folder: Path | None) -> list[str]:
    """The files in it; not those whose content has been cleared away."""
    return [entry.name for entry in os.scandir(folder) if entry.is_file()] if folder else []


def url_file(url: str | None) -> Path | None:
    """Where what came from this URL lies, or None."""
    path = cache_folder() / url.rpartition("/")[2] if url else None
    return path if path and path.is_file() else None


def listing(repository: Repository) -> Listing:
    """Ask the hub. Raises UnreachableError, RefusedError."""
    with _translated_errors(repository):
        info = _hub().HfApi().model_info(repository.name, revision=repository.revision, files_metadata=True)
    return Listing(repository, info.sha or "", {file.rfilename: file.size or 0 for file in info.siblings or ()})


def fetch(listing: Listing, files: Sequence[str], progress: Progress | None) -> None:
    """Bring these files of the repository into the hub's cache, unless they are there.

    Raises UnreachableError, RefusedError, ConnectionLostError, LexelError (too small a disk, damaged bytes).
    """
    here = folder(listing.repository)
    have = names(here) if here and here.name == listing.commit else []
    missing = [file for file in files if file not in have]
    _check_space(hub_folder(), sum(listing.files.get(file, 0) for file in missing), listing.repository.name)
    for file in missing:
        with _translated_errors(listing.repository):
            _fetch(listing.repository, file, progress)


def fetch_url(remote: RemoteFile, progress: Progress | None) -> None:
    """Bring a file from a plain URL into Lexel's cache, unless it is there. Raises ConnectionLostError, LexelError."""
    target = cache_folder() / remote.url.rpartition("/")[2]
    target.parent.mkdir(parents=True, exist_ok=True)
    with _hub().utils.WeakFileLock(target.with_name(f".{target.name}.lock")):
        if not target.is_file():
            download(remote, target, progress)


def _fetch(repository: Repository, file: str, progress: Progress | None) -> None:
    hub = _hub()
    url = hub.hf_hub_url(repository.name, file, revision=repository.revision)
    metadata = hub.get_hf_file_metadata(url)
    if metadata.etag and _DIGEST.fullmatch(metadata.etag):  # else it is no hash, and no name to give to a file
        blob = hub_folder() / repository.folder_name / "blobs" / metadata.etag
        # The lock that the hub's own downloads take.
        lock = hub_folder() / ".locks" / repository.folder_name / f"{metadata.etag}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        headers = hub.utils.build_hf_headers(library_name="lexel") if _same_host(url, metadata.location) else {}
        with hub.utils.WeakFileLock(lock):
            if not blob.exists():
                download(RemoteFile(metadata.location, file, metadata.size, metadata.etag, headers), blob, progress)
    hub.hf_hub_download(repository.name, file, revision=repository.revision, cache_dir=hub_folder())


def _same_host(url: str, location: str) -> bool:
    """Whether a login for one is meant for the other; the hub's files lie on other hosts, which need none."""
    return urlsplit(url)[:2] == urlsplit(location)[:2]


def _check_space(where: Path, needed: int, what: str) -> None:
    existing = next(folder for folder in (where, *where.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise LexelError(
            f"{what} needs {needed / 1e9:.1f} GB and {existing} has {free / 1e9:.1f} GB left.\n"
            "  Make room, or set HF_HOME to a folder on a larger disk."
        )


@contextmanager
def _translated_errors(repository: Repository) -> Iterator[None]:
    """Turn what huggingface_hub raises into errors of ours that say what to do."""
    errors, name = _hub().errors, repository.name
    try:
        yield
    except errors.GatedRepoError:
        raise RefusedError(
            f"{name} is given only to those who accept its terms: do so at {_page(name)},\n"
            "  then set HF_TOKEN to a token of that account and give the same command again."
        ) from None
    except errors.RepositoryNotFoundError:
        raise RefusedError(
            f"There is no model repository {name} on the hub, or it is private.\n"
            f"  Check the name at {_page(name)}; for a private one set HF_TOKEN to a token that may read it."
        ) from None
    except errors.RevisionNotFoundError:
        raise RefusedError(f"{name} has no revision {repository.revision}. See {_page(name)}/commits/main.") from None
    except errors.RemoteEntryNotFoundError as error:
        raise RefusedError(
            f"{name} has no {str(error.response.url).rpartition('/')[2]} at {repository.revision}."
        ) from None
    except errors.OfflineModeIsEnabled:
        raise UnreachableError("HF_HUB_OFFLINE is set") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise RefusedError(
                f"The hub refuses {name} ({status}): it is private, or HF_TOKEN is no token that may read it."
            ) from None
        raise UnreachableError(f"the hub answers {status}") from None
    except errors.LocalEntryNotFoundError:
        raise UnreachableError("the hub cannot be reached") from None
    except errors.HFValidationError:
        raise RefusedError(f'"{name}" cannot be the name of a repository.') from None
    except errors.HTTPError as error:  # pyright: ignore[reportPrivateImportUsage]  # of whichever HTTP library it uses
        raise UnreachableError(f"{_endpoint()} cannot be reached ({error})") from None


def _page(name: str) -> str:
    return f"{_endpoint()}/{name}"


def _endpoint() -> str:
    return _hub().constants.ENDPOINT


def _hub() -> ModuleType:
    """huggingface_hub with its parts, or an error that says how to get it."""
    try:
        for part in ("constants", "errors", "utils"):
            importlib.import_module(f"huggingface_hub.{part}")
        return importlib.import_module("huggingface_hub")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("huggingface_hub"):
            raise
        raise missing_library("A named checkpoint", "huggingface_hub", error) from None
