"""Named checkpoints come from the hub into its cache, survive interruption and damage, and need no network after."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import huggingface_hub.constants
import pytest
from stand_in_hub import COMMIT, StandInHub

from lexel import downloads
from lexel.checkpoints.hub import locate as hub
from lexel.checkpoints.hub import pretrained
from lexel.downloads import RemoteFile
from lexel.errors import LexelError, UsageError

NAME = "ViT-B-32/openai"
REPOSITORY = "timm/vit_base_patch32_clip_224.openai"
WEIGHTS = os.urandom(300_000)
TOKENIZER = {"tokenizer.json": b"{}", "vocab.json": b"{}", "merges.txt": b"#version: 0.2\n", "model.safetensors": b"no"}


@pytest.fixture
def the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    """A stand-in hub with ViT-B-32/openai on it, and empty caches."""
    stand_in = StandInHub(
        repositories={
            REPOSITORY: {"open_clip_model.safetensors": WEIGHTS, "model.safetensors": b"the image tower alone"},
            pretrained.CLIP_TOKENIZER: dict(TOKENIZER),
        }
    )
    server = stand_in.serve()
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", stand_in.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", stand_in.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("LEXEL_CACHE", str(tmp_path / "lexel"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.001)
    yield stand_in
    server.shutdown()
    server.server_close()


def test_a_pulled_checkpoint_is_located_without_the_network(the_hub: StandInHub):
    assert hub.locate(NAME) is None
    located = hub.pull(NAME)
    asked = len(the_hub.requests)
    assert hub.locate(NAME) == located
    assert len(the_hub.requests) == asked
    assert located.weights.read_bytes() == WEIGHTS
    assert located.pretrained == pretrained.find("ViT-B-32-quickgelu/openai")
    assert (located.tokenizer / "tokenizer.json").read_bytes() == b"{}"


def test_only_what_is_needed_is_fetched(the_hub: StandInHub):
    hub.pull(NAME)
    assert not the_hub.gets("model.safetensors")
    assert len(the_hub.gets("open_clip_model.safetensors")) == 1


def test_the_other_librarys_downloads_are_used(the_hub: StandInHub):
    """And ours by it: there is one cache."""
    huggingface_hub.hf_hub_download(REPOSITORY, "open_clip_model.safetensors")
    hub.pull(NAME)
    assert len(the_hub.gets("open_clip_model.safetensors")) == 1
    here = huggingface_hub.try_to_load_from_cache(pretrained.CLIP_TOKENIZER, "tokenizer.json")
    assert isinstance(here, str)


def test_a_second_pull_fetches_nothing(the_hub: StandInHub):
    hub.pull(NAME)
    the_hub.requests.clear()
    hub.pull(NAME)
    assert all(path.startswith("/api/") for _, path, _ in the_hub.requests)


def test_a_cut_connection_is_taken_up_where_it_broke(the_hub: StandInHub):
    the_hub.cuts["open_clip_model.safetensors"] = [100_000, 200_000]
    assert hub.pull(NAME).weights.read_bytes() == WEIGHTS
    ranges = [headers.get("range") for headers in the_hub.gets("open_clip_model.safetensors")]
    assert ranges == [None, "bytes=100000-", "bytes=200000-"]


def test_an_interrupted_pull_is_continued_by_the_next(the_hub: StandInHub):
    def interrupt(file: str, here: int, total: int | None) -> None:
        if here and file == "open_clip_model.safetensors":
            raise KeyboardInterrupt

    the_hub.cuts["open_clip_model.safetensors"] = [100_000]
    with pytest.raises(KeyboardInterrupt):
        hub.pull(NAME, progress=interrupt)
    assert hub.locate(NAME) is None
    assert hub.pull(NAME).weights.read_bytes() == WEIGHTS
    assert the_hub.gets("open_clip_model.safetensors")[-1]["range"] == "bytes=100000-"


def test_a_server_that_cannot_continue_starts_anew(the_hub: StandInHub):
    the_hub.ignores_ranges = True
    the_hub.cuts["open_clip_model.safetensors"] = [100_000]
    assert hub.pull(NAME).weights.read_bytes() == WEIGHTS


def test_a_connection_that_stays_cut_says_what_is_kept(the_hub: StandInHub):
    the_hub.cuts["open_clip_model.safetensors"] = [100_000] * 20
    with pytest.raises(LexelError, match="100,000 bytes of it are kept; the same command goes on"):
        hub.pull(NAME)
    the_hub.cuts.clear()
    assert hub.pull(NAME).weights.read_bytes() == WEIGHTS


@pytest.mark.parametrize("file", ["open_clip_model.safetensors", "tokenizer.json"])
def test_damaged_bytes_are_removed_and_never_used(the_hub: StandInHub, tmp_path: Path, file: str):
    the_hub.damaged.add(file)
    with pytest.raises(LexelError, match=f"{file} arrived damaged"):
        hub.pull(NAME)
    assert not list(tmp_path.rglob("*.partial"))
    assert hub.locate(NAME) is None
    the_hub.damaged.clear()
    assert hub.pull(NAME).weights.read_bytes() == WEIGHTS


def test_two_pulls_at_once_fetch_once(the_hub: StandInHub):
    with ThreadPoolExecutor(4) as pool:
        located = list(pool.map(hub.pull, [NAME] * 4))
    assert located[0].weights.read_bytes() == WEIGHTS
    assert len(the_hub.gets("open_clip_model.safetensors")) == 1


def test_a_full_disk_is_told_with_the_file_and_keeps_what_came(the_hub: StandInHub, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as caught:
            hub.pull(NAME)
    assert caught.value.errno == errno.ENOSPC
    assert Path(str(caught.value.filename)).read_bytes() == WEIGHTS
    assert hub.pull(NAME).weights.read_bytes() == WEIGHTS
    assert len(the_hub.gets("open_clip_model.safetensors")) == 1


def test_progress_is_told_to_the_end(the_hub: StandInHub):
    told: list[tuple[str, int, int | None]] = []
    hub.pull(NAME, progress=lambda *step: told.append(step))
    weights = [step[1:] for step in told if step[0] == "open_clip_model.safetensors"]
    assert weights == sorted(weights)
    assert weights[0] == (0, len(WEIGHTS))
    assert weights[-1] == (len(WEIGHTS), len(WEIGHTS))


def test_a_token_is_shown_to_the_hub_and_to_nobody_else(the_hub: StandInHub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.pull(NAME)
    assert {path.startswith("/cdn/") for _, path, _ in the_hub.requests} == {True, False}
    for _, path, headers in the_hub.requests:
        assert ("authorization" in headers) != path.startswith("/cdn/"), path


def test_a_link_out_of_the_cache_is_never_made_by_an_etag(the_hub: StandInHub, monkeypatch: pytest.MonkeyPatch):
    """A hash that is none is left to huggingface_hub, which names its own files."""
    real = huggingface_hub.get_hf_file_metadata
    monkeypatch.setattr(
        huggingface_hub, "get_hf_file_metadata", lambda *a, **k: replace(real(*a, **k), etag="../../../escaped")
    )
    assert hub.pull(NAME).weights.read_bytes() == WEIGHTS


def test_a_pull_shows_its_progress_in_lines_where_there_is_no_terminal(
    the_hub: StandInHub, capsys: pytest.CaptureFixture[str]
):
    located = hub.pull_showing_progress(NAME)
    assert "open_clip_model.safetensors: 0.3 of 0.3 MB" in capsys.readouterr().err
    row = next(row for row in hub.pretrained_rows() if row.name == NAME)
    assert row.size == len(WEIGHTS) == located.weights.stat().st_size
    assert (row.architecture, row.activation, row.extras) == ("ViT-B-32-quickgelu", "quick_gelu", ())


def test_an_interruption_says_how_to_go_on(
    the_hub: StandInHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(hub, "pull", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hub.pull_showing_progress(NAME)
    assert f"lexel models pull {NAME} goes on from there" in capsys.readouterr().err


# --- the hub says no -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (404, "RepoNotFound", "no model repository a/b on the hub, or it is private"),
        (401, "", "refuses a/b"),
        (403, "GatedRepo", "given only to those who accept its terms"),
        (404, "RevisionNotFound", "a/b has no revision main"),
        (403, "", "refuses a/b"),
        (500, "", "the hub answers 500"),
    ],
)
def test_a_refusal_is_told_in_a_few_plain_lines(the_hub: StandInHub, status: int, code: str, message: str):
    the_hub.refusals["a/b"] = (status, code)
    with pytest.raises(UsageError, match=message) as caught:
        hub.pull("hf:a/b")
    assert str(caught.value).count("\n") <= 2


def test_an_unknown_revision_is_named(the_hub: StandInHub):
    with pytest.raises(UsageError, match="has no revision v9"):
        hub.pull(f"hf:{REPOSITORY}@v9")


def test_openais_weights_come_from_their_own_address_where_the_hub_has_none(
    the_hub: StandInHub, monkeypatch: pytest.MonkeyPatch
):
    the_hub.refusals[REPOSITORY] = (404, "RepoNotFound")
    path = f"/models/{hashlib.sha256(WEIGHTS).hexdigest()}/ViT-B-32.pt"
    the_hub.plain[path] = WEIGHTS
    monkeypatch.setattr(hub, "find", lambda name: replace(pretrained.find(name), url=the_hub.url + path))
    the_hub.cuts["ViT-B-32.pt"] = [1000]
    located = hub.pull(NAME)
    assert located.weights.read_bytes() == WEIGHTS
    assert located.weights.parent == Path(os.environ["LEXEL_CACHE"])
    assert the_hub.gets("ViT-B-32.pt")[-1]["range"] == "bytes=1000-"


def test_the_merges_stand_in_for_the_tokenizer(the_hub: StandInHub, monkeypatch: pytest.MonkeyPatch):
    del the_hub.repositories[pretrained.CLIP_TOKENIZER]
    the_hub.plain["/merges.gz"] = b"merges"
    merges = RemoteFile(f"{the_hub.url}/merges.gz", "merges.gz", digest=hashlib.sha256(b"merges").hexdigest())
    monkeypatch.setattr(hub, "MERGES", merges)
    assert hub.pull(NAME).tokenizer.read_bytes() == b"merges"


def test_a_disk_that_is_too_small_is_seen_before_anything_is_fetched(
    the_hub: StandInHub, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(LexelError, match="GB left"):
        hub.pull(NAME)
    assert not the_hub.gets("open_clip_model.safetensors")


# --- no network ------------------------------------------------------------------------------------------------------


def test_offline_and_absent_names_files_place_and_command(the_hub: StandInHub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError) as caught:
        hub.pull(NAME)
    text = str(caught.value)
    assert len(text.splitlines()) <= 3
    assert "lexel models pull ViT-B-32/openai" in text
    assert "models--timm--vit_base_patch32_clip_224.openai (open_clip_model.safetensors" in text
    assert huggingface_hub.constants.HF_HUB_CACHE in text
    assert not the_hub.requests


def test_without_a_network_what_is_here_is_used(the_hub: StandInHub, monkeypatch: pytest.MonkeyPatch):
    pulled = hub.pull(NAME)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody answers there
    assert hub.pull(NAME) == pulled
    with pytest.raises(UsageError, match="is not on this machine, and"):
        hub.pull("hf:some/other")


def test_the_environment_is_heeded(the_hub: StandInHub, tmp_path: Path):
    """HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE, which huggingface_hub reads when it is imported."""
    code = f"from lexel.checkpoints.hub import locate as hub; print(hub.pull({NAME!r}).weights)"
    environment = {**os.environ, "HF_ENDPOINT": the_hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_CACHE": ""}
    environment = {key: value for key, value in environment.items() if value}

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code], env={**environment, **more}, capture_output=True, text=True, check=False
        )

    assert "HF_HUB_OFFLINE is set" in run(HF_HUB_OFFLINE="1").stderr
    pulled = run()
    assert pulled.stdout.startswith(str(tmp_path / "home")), pulled.stderr
    assert run(HF_HUB_OFFLINE="1").stdout == pulled.stdout


def test_a_missing_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", None)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert hub.locate(NAME) is None  # looking needs no library
    assert len(hub.pretrained_rows()) > 100
    with pytest.raises(UsageError, match=r'pip install "lexel\[hub\]"'):
        hub.pull(NAME)


# --- any repository --------------------------------------------------------------------------------------------------


def _config(**text: str) -> bytes:
    return json.dumps({"model_cfg": {"text_cfg": text}}).encode()


def test_open_clips_copy_is_preferred_in_a_repository_with_two(the_hub: StandInHub):
    the_hub.repositories["laion/both"] = {
        "config.json": b"{}",
        "model.safetensors": b"transformers",
        "pytorch_model.bin": b"transformers",
        "flax_model.msgpack": b"flax",
        "open_clip_config.json": _config(),
        "open_clip_pytorch_model.bin": b"pickle",
        "open_clip_model.safetensors": b"open_clip",
        "tokenizer.json": b"{}",
        "onnx/model.onnx": b"onnx",
    }
    located = hub.pull("hf:laion/both")
    assert located.weights.read_bytes() == b"open_clip"
    assert located.config is not None
    assert located.config.name == "open_clip_config.json"
    assert sorted(path.name for path in located.weights.parent.iterdir()) == [
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "tokenizer.json",
    ]


def test_all_parts_of_split_weights_come_or_it_is_not_here(the_hub: StandInHub):
    parts = {f"model-0000{i}-of-00002.safetensors": b"part %d" % i for i in (1, 2)}
    the_hub.repositories["big/model"] = {
        "config.json": b"{}",
        "model.safetensors.index.json": b"{}",
        "preprocessor_config.json": b"{}",
        "tokenizer.json": b"{}",
        **parts,
    }
    located = hub.pull(f"hf:big/model@{COMMIT}")
    assert located.weights.name == "model.safetensors.index.json"
    for name, content in parts.items():
        assert (located.weights.parent / name).read_bytes() == content
    (located.weights.parent / "model-00002-of-00002.safetensors").unlink()
    assert hub.locate(f"hf:big/model@{COMMIT}") is None


def test_the_tokenizer_comes_from_where_the_configuration_says(the_hub: StandInHub):
    the_hub.repositories["laion/roberta"] = {
        "open_clip_config.json": _config(hf_tokenizer_name="roberta-base", hf_model_name="roberta-base"),
        "open_clip_pytorch_model.bin": b"weights",
    }
    the_hub.repositories["roberta-base"] = {"tokenizer.json": b"roberta"}
    located = hub.pull("hf:laion/roberta")
    assert (located.tokenizer / "tokenizer.json").read_bytes() == b"roberta"


def test_one_bare_weight_file_is_taken_with_clips_tokenizer(the_hub: StandInHub):
    the_hub.repositories["me/bare"] = {"README.md": b"", "epoch_9.pt": b"weights"}
    located = hub.pull("hf:me/bare")
    assert located.weights.read_bytes() == b"weights"
    assert located.config is None


def test_a_model_folder_of_lexels_own_may_lie_on_the_hub(the_hub: StandInHub):
    files = {"model.json": b"{}", "weights.safetensors": b"w", "tokenizer.json": b"{}", "README.md": b"card"}
    the_hub.repositories["me/mine"] = files
    folder = hub.pull("hf:me/mine").weights.parent
    assert {path.name for path in folder.iterdir()} == {"model.json", "weights.safetensors", "tokenizer.json"}


def test_a_repository_without_a_checkpoint_says_what_it_has(the_hub: StandInHub):
    the_hub.repositories["me/data"] = {"train.parquet": b"rows"}
    with pytest.raises(UsageError, match=r"no checkpoint that Lexel knows(.|\n)*train\.parquet"):
        hub.pull("hf:me/data")


@pytest.mark.parametrize("name", ["hf:", "hf:a/b/c", "hf:../../etc", "hf:a/b@", "hf:a b/c"])
def test_a_name_that_is_no_repository_is_refused(name: str):
    with pytest.raises(UsageError):
        hub.pull(name)
