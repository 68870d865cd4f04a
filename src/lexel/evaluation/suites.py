"""Suites: which tasks are measured together, by a name or in a TOML file of one's own."""

import tomllib
from pathlib import Path

from pydantic import ValidationError

from lexel.config import Config
from lexel.errors import DataError, UsageError, did_you_mean
from lexel.evaluation.tasks.registry import DEFAULT_TASKS, TASKS

MAX_FILE_BYTES = 1 << 20


class Suite(Config):
    """The tasks to measure, and the prompts for labels where the user gives none."""

    tasks: list[str]
    templates: str | list[str] | None = None


SUITES = {
    "default": Suite(tasks=list(DEFAULT_TASKS)),
    "small": Suite(
        tasks=[
            "zero_shot",
            "multi_label",
            "hierarchy",
            "retrieval",
            "linear_probe",
            "knn",
            "calibration",
            "geometry",
            "choices",
            "twins",
        ]
    ),
    "paper": Suite(tasks=[task.name for task in TASKS]),
}


def read_suite(name_or_file: str) -> Suite:
    """The suite of a name, or the one in a TOML file: `tasks = ["zero_shot", "knn"]` and perhaps `templates`."""
    if name_or_file in SUITES:
        return SUITES[name_or_file]
    path = Path(name_or_file).expanduser()
    if path.suffix != ".toml":
        raise UsageError(
            f'There is no suite "{name_or_file}".{did_you_mean(name_or_file, SUITES)}\n'
            f"  The suites are {', '.join(SUITES)}, or a .toml file with tasks = [...]."
        )
    if not path.is_file():
        raise UsageError(f"There is no suite file {path}.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise DataError(f"{path} has more than {MAX_FILE_BYTES:,} bytes: that is no suite.")
    try:
        return Suite.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: {place}: {first['msg']}.\n  A suite has tasks, and perhaps templates.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise DataError(f"{path} is no TOML file: {error}") from error
