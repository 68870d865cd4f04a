"""The run folder: where everything about one run is kept, and the guard that it stays one run.

recipe.json          the recipe, resolved
log.jsonl            a line a step, and a line an evaluation
tensorboard/         the same as events
snapshots/           what the run goes on from after it was cut off
training-pictures.safetensors   hashes of the pictures that the run has learned from so far
bad-images.jsonl     pictures that could not be read, if any
embeddings/          embeddings of a frozen tower or of the starting model, computed once
growth.json          how a few held-out pairs found each other
curves.png           loss, accuracy and held-out numbers over the run
guards.json          how the guards stand, where there are any
best/                the snapshot of the best model that kept what the guards ask for
adapter/             what LoRA has learned, alone, where it was used
model/               the model folder, once the run has finished
report/              report.json and report.html of the held-out pairs
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lexel.checkpoints.model_folder.folder import TRAINING_PICTURES
from lexel.errors import UsageError
from lexel.files import check_makeable, make_folder, remove_unfinished, write_atomically
from lexel.training.recipe import Recipe

RECIPE, LOCK, EMBEDDINGS = "recipe.json", ".lock", "embeddings"


@dataclass(frozen=True)
class RunFolder:
    """Paths within one run's folder."""

    path: Path

    @classmethod
    def open(cls, path: Path, recipe: Recipe) -> Self:
        """The folder for a new run, or of the one that is in it. Raises UsageError when that is of another recipe.

        Nothing is written, and no folder made, until the run begins in `alone`.

        A folder with nothing but a recipe and embeddings in it is of a run that failed before its first step: another
        may begin there.
        """
        folder = cls(path)
        folder._check_recipe(recipe)
        check_makeable(path)
        return folder

    @contextmanager
    def alone(self, recipe: Recipe) -> Iterator[None]:
        """Keep other processes from training here for as long as the block lasts, write down the recipe, and clear
        away what a killed process left half written. Raises UsageError when one is at it already, or was meanwhile."""
        make_folder(self.path)
        with alone_in(self.path):
            self._check_recipe(recipe)  # again: only now nobody else can begin another run here
            write_atomically(self.path / RECIPE, recipe.model_dump_json(indent=2) + "\n")
            for folder in (self.path, self.snapshots, self.embeddings):
                remove_unfinished(folder)
            yield

    def _check_recipe(self, recipe: Recipe) -> None:
        there = {entry.name for entry in self.path.glob("[!.]*")}
        if RECIPE in there:
            there -= {EMBEDDINGS}
        if there > {RECIPE}:
            earlier = Recipe.load(self.path / RECIPE)
            if changed := differences(earlier.decisive(), recipe.decisive()):
                raise UsageError(
                    f"{self.path} holds a run of another recipe: {'; '.join(changed[:3])}.\n"
                    "Give another --output, or delete that folder to start again."
                )
        elif there - {RECIPE}:
            raise UsageError(f"{self.path} is not empty and holds no run. Give another --output.")

    @property
    def snapshots(self) -> Path:
        return self.path / "snapshots"

    @property
    def embeddings(self) -> Path:
        return self.path / EMBEDDINGS

    @property
    def bad_images(self) -> Path:
        return self.path / "bad-images.jsonl"

    @property
    def training_pictures(self) -> Path:
        return self.path / TRAINING_PICTURES

    @property
    def curves(self) -> Path:
        return self.path / "curves.png"

    @property
    def guards(self) -> Path:
        return self.path / "guards.json"

    @property
    def best(self) -> Path:
        return self.path / "best"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def report(self) -> Path:
        return self.path / "report"

    def check_data(self, before: str, now: str) -> None:
        """Refuse to go on with other data than the run began with."""
        if before != now:
            raise UsageError(
                f"The pairs have changed since the run in {self.path} began, so it cannot go on as the same run.\n"
                "Put the data back, or train into another --output."
            )

    def check_tokenizer(self, before: str | None, now: str) -> None:
        """Refuse to go on with another vocabulary than the run began with; older snapshots do not say theirs."""
        if before not in (None, now):
            raise UsageError(
                f"The tokenizer has changed since the run in {self.path} began, so it cannot go on as the same run.\n"
                "Go back to the version of Lexel that it began with, or train into another --output."
            )

    def check_teacher(self, before: str | None, now: str | None) -> None:
        """Refuse to go on with another teacher than the run began with."""
        if before != now:
            raise UsageError(
                f"The teacher of the run in {self.path} has changed since it began, so it cannot go on as the same "
                "run.\nPut that model back, or train into another --output."
            )

    def check_origin(self, before: str, now: str) -> None:
        """Refuse to go on from other weights than the run began with."""
        if before != now:
            raise UsageError(
                f"The model that the run in {self.path} began from has changed, so it cannot go on as the same run.\n"
                "Put that model back, or train into another --output."
            )


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from training in `folder` for as long as the block lasts. Raises UsageError when one is."""
    with open(folder / LOCK, "w") as lock:
        try:
            # Unlike flock's, these locks are not the loader's workers' too, which outlive a killed trainer a while.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise UsageError(
                f"Another process is training in {folder}. Wait for it, or give another --output."
            ) from None
        yield


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """`path: before → now` for every value that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            line
            for key in sorted(before.keys() | now.keys())
            for line in differences(before.get(key), now.get(key), f"{path}.{key}".lstrip("."))
        ]
    return [] if before == now else [f"{path} was {json.dumps(before)} and is now {json.dumps(now)}"]
