"""Lance tables, which LanceDB keeps: each version is copied once into an Arrow file in Lexel's cache folder.

Lance must not be used in a process that is forked later, as workers of training are. So the copy is made by a process
of its own, and pictures are read from the Arrow file. Vectors are left out of it.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from lexel.errors import DataError, LexelError, UsageError
from lexel.extras import missing_library
from lexel.files import cache_folder, make_folder, new_file
from lexel.progress import say

SUFFIX = ".lance"
ROWS_AT_ONCE = 256  # in a batch of the copy
NO_LIBRARY = 3  # exit status


def find_lance(folder: Path) -> Path | None:
    """The folder itself if it is a Lance table, or the one table of a LanceDB database; None: it is neither.

    Raises UsageError where a database has several tables.
    """
    if _is_table(folder):
        return folder
    tables = sorted(path for path in folder.glob(f"*{SUFFIX}") if _is_table(path))
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise UsageError(f"{folder} has several tables: {names}. Name one: {tables[0]}")
    return tables[0] if tables else None


def arrow_copy(table: Path) -> Path:
    """Where the newest version of the table lies as an Arrow file. Raises DataError, or UsageError without pylance."""
    place = hashlib.blake2b(str(table.absolute()).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    folder = cache_folder() / "lance"
    copy = folder / f"{table.stem}-{place}-{_version(table)}.arrow"
    if copy.exists():
        return copy
    make_folder(folder)
    say(f"{table}: copying it into {folder}, once for each version of the table")
    try:
        with new_file(copy) as temporary:
            _run(table, temporary)
    except OSError as error:
        raise LexelError(
            f"{table} could not be copied to {folder}: {error.strerror or error}.\n"
            "  Free some space, or name another cache folder in LEXEL_CACHE."
        ) from error
    for old in folder.glob(f"{table.stem}-{place}-*.arrow"):
        if old != copy:
            old.unlink(missing_ok=True)
    return copy


def _is_table(folder: Path) -> bool:
    return folder.suffix == SUFFIX and (folder / "_versions").is_dir()


def _version(table: Path) -> str:
    with os.scandir(table / "_versions") as entries:
        states = sorted((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries)
    return hashlib.blake2b(repr(states).encode(), digest_size=8).hexdigest()


def _run(table: Path, target: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-P", "-m", __name__, str(table), str(target)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    said = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")[:300]
    if done.returncode == NO_LIBRARY:
        raise missing_library(f"Reading {table.name}", "lance", ModuleNotFoundError()) from None
    if done.returncode:
        raise DataError(f"{table} cannot be read: {said or f'its reader ended with {done.returncode}'}")


def _copy(table: str, target: str) -> None:
    import pyarrow as arrow

    try:
        import lance  # pyright: ignore[reportMissingImports] - an extra of its own
    except ModuleNotFoundError:
        sys.exit(NO_LIBRARY)
    dataset = lance.dataset(table)
    columns = [field.name for field in dataset.schema if not arrow.types.is_fixed_size_list(field.type)]
    batches = dataset.to_batches(columns=columns, batch_size=ROWS_AT_ONCE, blob_handling="all_binary")
    writer = None
    with arrow.OSFile(target, "wb") as file:
        for batch in batches:
            writer = writer or arrow.ipc.new_file(file, batch.schema)
            writer.write_batch(batch)
        writer = writer or arrow.ipc.new_file(file, dataset.schema)
        writer.close()


if __name__ == "__main__":
    try:
        _copy(*sys.argv[1:])
    except Exception as error:  # any: of a library that raises what it likes; the parent says it
        sys.exit(" ".join(str(error).split())[:300] or type(error).__name__)
