"""Checkpoints by name: where their files lie on this machine, and getting them there.

"ViT-B-32/openai" is one of the named checkpoints, "hf:organisation/repository[@revision]" any model repository on the
Hugging Face hub. `locate` only looks and never touches the network; `pull` fetches. The cache is huggingface_hub's own,
shared with all that uses it. The bytes come by `download`, because huggingface_hub (2.4) drops what has arrived when it
is interrupted, and does not check hashes.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from lexel.checkpoints.hub import cache
from lexel.checkpoints.hub.cache import Repository
from lexel.checkpoints.hub.choose_files import OPEN_CLIP_CONFIG, beside, choose, first_whole, has_tokenizer
from lexel.checkpoints.hub.pretrained import CLIP_TOKENIZER, Pretrained, all_pretrained, find, looks_pretrained
from lexel.downloads import ConnectionLostError, Progress, RemoteFile
from lexel.errors import LexelError, UsageError
from lexel.progress import say, show_downloads

PREFIX = "hf:"
MERGES = RemoteFile(
    "https://openaipublic.azureedge.net/clip/bpe_simple_vocab_16e6.txt.gz",
    "bpe_simple_vocab_16e6.txt.gz",
    digest="924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a",
)


@dataclass(frozen=True)
class Located:
    """Where a checkpoint's files lie on this machine."""

    name: str
    weights: Path  # one file, or the index of several that lie beside it
    config: Path | None  # model.json, open_clip_config.json or config.json beside the weights; None: only weights
    tokenizer: Path  # the folder that holds its files, or OpenAI's file of merges
    pretrained: Pretrained | None = None  # what the list knows of a named checkpoint


@dataclass(frozen=True)
class PretrainedRow:
    """One line of the list of named checkpoints."""

    name: str
    architecture: str
    activation: str  # "image / text" where they differ; "" where the towers' own libraries know it
    extras: tuple[str, ...]  # without which it does not load; none: natively
    size: int | None  # bytes of the weights when they are on this machine


def is_checkpoint_name(name: str) -> bool:
    """Whether this is a name for `locate` and `pull` rather than a path."""
    return name.startswith(PREFIX) or looks_pretrained(name)


def locate(name: str) -> Located | None:
    """The files of a checkpoint that is on this machine, or None. Raises UsageError for a name that means nothing."""
    if name.startswith(PREFIX):
        return _locate_repository(name, _repository(name))
    known = find(name)
    weights = _weights(known)
    tokenizer = _cached_tokenizer(Repository(known.tokenizer))
    return Located(name, weights, None, tokenizer, pretrained=known) if weights and tokenizer else None


def pull(name: str, *, progress: Progress | None = None) -> Located:
    """Fetch what is not here yet of a checkpoint, or what has changed; an interrupted pull is continued.

    Without a network a checkpoint that is here already is simply used. Raises UsageError when it is not, or when there
    is no such checkpoint, LexelError when the hub refuses it or the disk is too small.
    """
    try:
        if name.startswith(PREFIX):
            _pull_repository(_repository(name), progress)
        else:
            _pull_pretrained(find(name), progress)
    except cache.UnreachableError as error:
        if found := locate(name):
            return found
        raise absent(name, str(error)) from None
    found = locate(name)
    if found is None:
        raise LexelError(f"{name} was fetched but cannot be found again in {cache.hub_folder()}. Is it being cleared?")
    return found


def pull_showing_progress(name: str) -> Located:
    """`pull` with a bar for each file on standard error; see there."""
    with show_downloads() as progress:
        try:
            return pull(name, progress=progress)
        except KeyboardInterrupt:
            say(f"Interrupted. What has arrived is kept: lexel models pull {name} goes on from there.")
            raise


def pretrained_rows() -> list[PretrainedRow]:
    """The named checkpoints, for people to choose from. Nothing is fetched."""
    rows = []
    for checkpoint in all_pretrained():
        here = _weights(checkpoint)
        rows.append(
            PretrainedRow(
                name=checkpoint.name,
                architecture=checkpoint.architecture,
                activation=" / ".join(dict.fromkeys(filter(None, checkpoint.activations))),
                extras=checkpoint.extras,
                size=here.stat().st_size if here else None,
            )
        )
    return rows


def cached_clip_tokenizer() -> Path | None:
    """CLIP's tokenizer, if a checkpoint that was pulled has brought it onto this machine."""
    return _cached_tokenizer(Repository(CLIP_TOKENIZER))


def absent(name: str, why: str = "") -> UsageError:
    """The error for a checkpoint that is not on this machine: which files, where to put them, how to get them."""
    if name.startswith(PREFIX):
        parts = [f"{_repository(name).folder_name} (configuration, weights, tokenizer)"]
    else:
        known = find(name)
        parts = [
            f"{Repository(known.repository).folder_name} ({' or '.join(known.weights)})",
            f"{Repository(known.tokenizer).folder_name} (tokenizer.json)",
        ]
    return UsageError(
        f"{name} is not on this machine{f', and {why}' if why else ''}.\n"
        f"  Where there is a network: lexel models pull {name}\n"
        f"  then copy {' and '.join(parts)} from its ~/.cache/huggingface/hub to {cache.hub_folder()}."
    )


def _repository(name: str) -> Repository:
    match = re.fullmatch(r"hf:([\w.-]+(?:/[\w.-]+)?)(?:@((?!.*\.\.)[\w./-]+))?", name)
    if not match:
        raise UsageError(f'"{name}" names no repository. Write hf:ORGANISATION/REPOSITORY or …@REVISION.')
    return Repository(match[1], match[2] or "main")


def _locate_repository(name: str, repository: Repository) -> Located | None:
    folder = cache.folder(repository)
    choice = choose(cache.names(folder)) if folder else None
    if folder is None or choice is None:
        return None
    config = folder / choice.config if choice.config else None
    tokenizer = folder if has_tokenizer(cache.names(folder)) else _cached_tokenizer(_tokenizer_named_by(config))
    return Located(name, folder / choice.weights[0], config, tokenizer) if tokenizer else None


def _pull_repository(repository: Repository, progress: Progress | None) -> None:
    listing = cache.listing(repository)
    choice = choose(listing.files)
    if choice is None:
        raise UsageError(
            f"{repository.name} holds no checkpoint that Lexel knows: a config.json or open_clip_config.json beside "
            f"its weights, or one weight file.\n  It has: {', '.join(sorted(listing.files)[:12]) or 'nothing'}"
        )
    configs = [choice.config] if choice.config else []
    cache.fetch(listing, [*configs, *beside(listing.files), *choice.weights], progress)
    if not has_tokenizer(listing.files):
        folder = cache.folder(repository)
        config = folder / choice.config if folder and choice.config else None
        _pull_tokenizer(_tokenizer_named_by(config), progress)


def _pull_pretrained(known: Pretrained, progress: Progress | None) -> None:
    try:
        listing = cache.listing(Repository(known.repository))
        weights = first_whole(listing.files, known.weights)
        if not weights:
            raise cache.RefusedError(f"{known.repository} no longer has {' or '.join(known.weights)}.")
        cache.fetch(listing, weights, progress)
    except (cache.UnreachableError, cache.RefusedError) as error:
        if known.url is None:
            raise
        _fetch_instead(error, RemoteFile(known.url, known.url.rpartition("/")[2], digest=known.sha256), progress)
    _pull_tokenizer(Repository(known.tokenizer), progress)


def _pull_tokenizer(repository: Repository, progress: Progress | None) -> None:
    try:
        listing = cache.listing(repository)
        cache.fetch(listing, beside(listing.files), progress)
    except (cache.UnreachableError, cache.RefusedError) as error:
        if _cached_tokenizer(repository):
            return
        if repository.name != CLIP_TOKENIZER:
            raise
        _fetch_instead(error, MERGES, progress)


def _fetch_instead(error: LexelError, remote: RemoteFile, progress: Progress | None) -> None:
    """Fetch from outside the hub what the hub did not give; where that is no way either, raise the hub's `error`."""
    if cache.is_offline():
        raise error
    try:
        cache.fetch_url(remote, progress)
    except ConnectionLostError as lost:
        raise lost if lost.kept else error from None


def _weights(known: Pretrained) -> Path | None:
    folder = cache.folder(Repository(known.repository))
    files = first_whole(cache.names(folder), known.weights)
    return folder / files[0] if folder and files else cache.url_file(known.url)


def _cached_tokenizer(repository: Repository) -> Path | None:
    folder = cache.folder(repository)
    if folder and has_tokenizer(cache.names(folder)):
        return folder
    return cache.url_file(MERGES.url) if repository.name == CLIP_TOKENIZER else None


def _tokenizer_named_by(config: Path | None) -> Repository:
    """The repository of the tokenizer that an OpenCLIP configuration names; CLIP's where it names none."""
    if config is None or config.name != OPEN_CLIP_CONFIG:
        return Repository(CLIP_TOKENIZER)
    try:
        text = json.loads(config.read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
        return Repository(text.get("hf_tokenizer_name") or text.get("hf_model_name") or CLIP_TOKENIZER)
    except (ValueError, KeyError, TypeError, AttributeError):  # its reader will say what is wrong with it
        return Repository(CLIP_TOKENIZER)
