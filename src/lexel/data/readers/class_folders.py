"""Labels from the folders that pictures lie in: which level is meant, and what to say of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from lexel.data.readers.splits import FOLDER_SPLITS, split_name
from lexel.terminal import counted

_NAMED = 4  # folders in a note
_SPLIT = re.compile(r"([a-z]+)[-_]?(?:\d{4})?(?:[-_]?images)?", re.IGNORECASE)


@dataclass(slots=True)
class ClassFolders:
    """The label of each picture, None where folders give none, and notes for the user."""

    labels: list[str | None]
    notes: list[str] = field(default_factory=list)


def label_by_folder(images: Sequence[str]) -> ClassFolders:
    """Labels from the first level on which the pictures' folders differ; `images` are relative paths.

    label_by_folder(["animals/cat/1.jpg", "animals/dog/2.jpg"]).labels  →  ["cat", "dog"]
    """
    parts = [image.split("/") for image in images]
    level = _first_branching_level(parts)
    classes = sorted({folders[level] for folders in parts if len(folders) > level + 1})
    outside = sum(len(folders) <= level + 1 for folders in parts)
    none = ClassFolders([None] * len(images))
    if not classes:
        if level:
            within = "/".join(parts[0][:level])
            none.notes.append(f'no labels: all images lie in the one folder "{within}"')
        return none
    if outside:
        lie = counted(outside, "image lies", "images lie")
        none.notes.append(f"folder names not taken for labels: {lie} outside the {_count(classes)}")
        return none
    if all(map(_is_split, classes)):
        none.notes.append(f"folder names not taken for labels: {_few(classes)} are splits")
        return none
    labels: list[str | None] = [folders[level].replace("_", " ").strip() for folders in parts]
    return ClassFolders(labels, [_note(parts, level, classes)])


def _first_branching_level(parts: Sequence[Sequence[str]]) -> int:
    """The first level on which there is more than one folder, or a picture beside folders."""
    level = 0
    while all(len(folders) > level + 1 for folders in parts) and len({folders[level] for folders in parts}) == 1:
        level += 1
    return level


def _note(parts: Sequence[Sequence[str]], level: int, classes: Sequence[str]) -> str:
    where = f" in {'/'.join(parts[0][:level])}/" if level else ""
    note = f"labels from {_count(classes)}{where}: {_few(classes)}"
    deeper = sorted({"/".join(folders[: level + 2]) for folders in parts if len(folders) > level + 2})
    if deeper:
        note += f"; not from the {_count(deeper)} below these, such as {deeper[0]}"
    return note


def _is_split(name: str) -> bool:
    found = _SPLIT.fullmatch(name)
    return found is not None and split_name(found[1]) in FOLDER_SPLITS


def _count(folders: Sequence[str]) -> str:
    return counted(len(folders), "folder")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
