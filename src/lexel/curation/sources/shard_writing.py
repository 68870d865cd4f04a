"""Writes the filtered source as tar shards, as `lexel data prepare` packs them, with the record of what went.

    00000.tar …       the pairs that stay, in folders for their splits where they have such
    manifest.json     of the packing; `dropped.jsonl` names what could be looked at and not be stored
    removed.jsonl     key, reason and detail of each pair that went, in the order of the source
    filter.json       the rules, the numbers, the model's fingerprint

A packing that was cut off goes on: the same command filters again and packs the shards that are missing.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lexel.curation.sources.filtering import FilteredSource
from lexel.curation.sources.rules import FilterRules
from lexel.curation.sources.writing import KIND, RECORD, REMOVED, write_record
from lexel.data.packing import PackJob, PackManifest, PackSettings, check_apart, check_folder, pack_splits
from lexel.data.pairs import Source
from lexel.errors import LexelError, UsageError
from lexel.files import make_folder

NO_SPLIT = "without-split"  # the folder of pairs without a split, where others have one


def filter_job(source: str, rules: FilterRules, settings: PackSettings, **how: Any) -> PackJob:
    """What a folder of filtered shards is of; `how` says what else decides the pairs: columns, model, other source."""
    said: Mapping[str, Any] = {name: value for name, value in how.items() if value}
    return PackJob(
        source, settings, {**rules.model_dump(mode="json", exclude_none=True, exclude_defaults=True), **said}
    )


def check_shard_output(out: Path, job: PackJob, *, replace: bool = False) -> None:
    """Raise UsageError where the folder holds anything but shards of the same job: called before long work.

    With `replace` they may be of another one.
    """
    check_apart(job.source, out)
    check_folder(out, job, replace=replace, beside=(REMOVED, RECORD))
    if (out / RECORD).is_file():
        try:
            known = json.loads((out / RECORD).read_text(encoding="utf-8"))["kind"] == KIND
        except (OSError, ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise UsageError(f"{out / RECORD} was not written by lexel data filter. Name another folder.")


def write_filtered_shards(
    outcome: FilteredSource, rules: FilterRules, out: Path, job: PackJob, *, replace: bool = False
) -> PackManifest:
    """Write the folder. Raises UsageError where something else is there, LexelError for a full disk."""
    check_shard_output(out, job, replace=replace)
    make_folder(out)
    try:
        write_record(out, outcome, rules)
    except OSError as error:
        raise LexelError(f"{error.filename or out} cannot be written: {error.strerror or error}.") from error
    return pack_splits(_by_split(outcome), out, job)


def _by_split(outcome: FilteredSource) -> dict[str, Source]:
    source = replace(outcome.source, pairs=outcome.kept, notes=(), split_numbers=None)
    names = dict.fromkeys(outcome.splits)
    if len(names) < 2:
        return {"": source}
    return {
        name or NO_SPLIT: replace(
            source, pairs=[pair for pair, its in zip(outcome.kept, outcome.splits, strict=True) if its == name]
        )
        for name in names
    }
