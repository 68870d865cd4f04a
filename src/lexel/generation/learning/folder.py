"""The folder in which a module learns, and the guard that it stays one run.

learning.json    settings, and hashes of what is learned from
log.jsonl        a line a step
tensorboard/     the same as events
snapshots/       what the run goes on from after it was cut off
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lexel.errors import UsageError
from lexel.files import make_folder, read_json_object, remove_unfinished, write_atomically
from lexel.generation.learning.settings import LearningSettings
from lexel.training.run.folder import alone_in, differences

NOTE, SNAPSHOTS = "learning.json", "snapshots"


@contextmanager
def open_learning(folder: Path, settings: LearningSettings, identity: Mapping[str, Any]) -> Iterator[None]:
    """Make the folder, or take up the run that is in it; within the block no other process learns there.

    Raises UsageError where it holds another run, or something else.
    """
    check_same_run(folder, settings, identity)
    make_folder(folder)
    with alone_in(folder):
        check_same_run(folder, settings, identity)  # again: only now nobody else can begin another run here
        for place in (folder, folder / SNAPSHOTS):
            remove_unfinished(place)
        note = {"settings": settings.model_dump(mode="json"), "identity": dict(identity)}
        write_atomically(folder / NOTE, json.dumps(note, indent=2, ensure_ascii=False) + "\n")
        yield


def check_same_run(folder: Path, settings: LearningSettings, identity: Mapping[str, Any]) -> None:
    """Raise UsageError where the folder holds another run, or something else."""
    there = {entry.name for entry in folder.glob("[!.]*")}
    if there and NOTE not in there:
        raise UsageError(f"{folder} is not empty and holds no run. Give another --output.")
    if not there > {NOTE}:
        return  # nothing has been learned there
    before = read_json_object(folder / NOTE, "Delete the folder to start again.")
    if changed := differences(before.get("identity"), dict(identity)):
        raise UsageError(
            f"{folder} holds another run: {'; '.join(changed[:3])}.\n"
            "Give another --output, or delete that folder to start again."
        )
    try:
        earlier = LearningSettings.model_validate(before.get("settings")).decisive()
    except ValueError:
        earlier = {}
    if changed := differences(earlier, settings.decisive()):
        raise UsageError(
            f"{folder} holds a run with other settings: {'; '.join(changed[:3])}.\n"
            "Give another --output, or delete that folder to start again."
        )
