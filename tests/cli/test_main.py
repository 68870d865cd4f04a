import errno
import os
import subprocess
import sys
from multiprocessing.connection import wait

import pytest
from processes import Output, environment, lexel_command, start
from tiny import tiny_recipe
from torch.distributed import TCPStore

from lexel.cli import main as module
from lexel.cli.main import app
from lexel.errors import UsageError

VERBS = [
    *(
        "demo",
        "train",
        "plan",
        "profile",
        "evaluate",
        "compare",
        "classify",
        "rank",
        "explain",
        "guide",
        "index",
        "search",
    ),
    *("embed", "duplicates", "group", "label", "sort", "filter", "map", "serve", "models list", "models blend"),
    *(f"caption {name}" for name in ("train", "evaluate")),
    *(f"data {name}" for name in ("inspect", "prepare", "filter")),
    *(f"library {name}" for name in ("stats", "check", "verify", "export", "remove", "reembed", "relocate")),
]


def shell(command: str, **settings) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `lexel` is this Lexel; the status is that of its first part."""
    line = f'lexel() {{ "{sys.executable}" -m lexel "$@"; }}; {command}; exit "${{PIPESTATUS[0]}}"'
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, **settings)


def fail_with(monkeypatch, error: Exception) -> None:
    """Let every verb fail with this error."""

    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(module, "app", fail)


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example_on_a_line_of_its_own(lexel, verb):
    done = lexel(*verb.split(), "--help")
    assert done.status == 0
    example = next(line for line in done.out.splitlines() if line.startswith(f"    lexel {verb}"))
    assert len(example) <= 80


def test_every_verb_has_its_help_tested():
    named = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert named == {verb for verb in VERBS if " " not in verb}


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_a_screen(lexel, verb):
    most = {"search": 56, "data filter": 64}.get(verb, 48)  # whose options stand in panels
    assert len(lexel(*verb.split(), "--help").out.splitlines()) <= most


def test_options_that_are_rarely_needed_stand_last_in_a_panel_of_their_own(lexel):
    said = lexel("plan", "--help").out
    assert said.index("Arguments:") < said.index("Options:") < said.index("Rarely needed:")
    assert "--pair-bytes" in said[said.index("Rarely needed:") :]
    assert "--json" in said[: said.index("Rarely needed:")]


def test_the_version_is_printed(lexel):
    assert lexel("--version").out.startswith("lexel 0.")


def test_a_misspelt_verb_is_told_with_the_nearest_one(lexel):
    done = lexel("clasify")
    assert done.status == 2
    assert "Did you mean 'classify'?" in done.err


def test_help_and_import_load_nothing_heavy():
    script = (
        "import sys, lexel; from lexel.cli.main import main; sys.argv = ['lexel', '--help']\n"
        "try: main()\n"
        "except SystemExit: print([name for name in ('torch', 'numpy', 'pydantic', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_a_reader_that_has_enough_is_no_error():
    done = shell("lexel models list --json | head -1")
    assert (done.stdout, done.stderr) == ("{\n", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110
def test_a_full_disk_under_standard_output_is_told_once():
    done = shell("lexel models list > /dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "lexel models: No space left on device.",
        "Mend that and give the same command again; what was there before is unharmed.",
    ]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_what_the_disk_refuses_is_told_with_the_file(lexel, monkeypatch, number):
    monkeypatch.setattr(module, "_discard_output", lambda: None)
    fail_with(monkeypatch, OSError(number, "…", "runs/x/log.jsonl"))
    done = lexel("train", "x")
    assert done.status == 1
    assert done.err.startswith(f"lexel train: {os.strerror(number)}: runs/x/log.jsonl.\n")


def test_a_mistake_of_lexel_itself_keeps_its_traceback(monkeypatch):
    fail_with(monkeypatch, FileNotFoundError(errno.ENOENT, "…", "x"))
    with pytest.raises(FileNotFoundError):
        module.main()


@pytest.mark.parametrize(("recipe", "missing"), [("none.json", "none.json"), ("{rank}.json", "1.json")])
def test_what_all_processes_of_torchrun_find_is_told_once_and_so_is_what_one_alone_finds(tmp_path, recipe, missing):
    (tmp_path / "0.json").write_text(tiny_recipe().model_dump_json(exclude_none=True))
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # as torchrun keeps one
    as_in_torchrun = {"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    outputs = [Output(tmp_path / f"printed by {rank}") for rank in range(2)]
    processes = [
        start(
            lexel_command,
            environment(rank, 2, store.port) | as_in_torchrun,
            *("train", str(tmp_path / recipe.format(rank=rank))),
            output=output,
        )
        for rank, output in enumerate(outputs)
    ]
    wait([process.sentinel for process in processes], timeout=60)
    assert UsageError.exit_status in [process.exitcode for process in processes]
    for process in processes:  # torchrun, too, ends all as soon as one has ended
        process.kill()
        process.join()
    lines = [line for output in outputs for line in output.errors.read_text().splitlines()]
    assert [line for line in lines if line.startswith("lexel train: ")] == [
        f'lexel train: No recipe at "{tmp_path / missing}".'
    ]


def test_the_list_of_models_is_a_table_or_json(lexel):
    listed = lexel("models", "list", "--json").json
    assert listed["ViT-B-32"].keys() == {"parameters_image", "parameters_text", "gflops_image", "gflops_text"}
    lines = lexel("models", "list").out.splitlines()
    assert len(lines) == 2 + len(listed)
