"""The bytes of one picture within a Parquet or Arrow file, read when they are needed.

A row group is the smallest part of a Parquet file that can be read. The groups read last are kept, up to 256 MB in each
process, so pictures that are asked for in their order cost one reading of the file. Arrow files are mapped into memory.
"""

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexel.errors import BadImageError
from lexel.extras import missing_library

if TYPE_CHECKING:
    import pyarrow

KEPT_BYTES = 256 << 20  # of row groups
MAX_OPEN_FILES = 16
ARROW_SUFFIXES = frozenset({".arrow", ".feather", ".ipc"})

_opened: dict[tuple[int, Path], Any] = {}  # Parquet files of this process, whose footers take long to read
_kept: OrderedDict[tuple[Path, int, str], Any] = OrderedDict()  # pyarrow arrays of bytes
_lock = threading.Lock()


def read_cell(path: Path, group: int, row: int, column: str) -> bytes:
    """The bytes in a row of a row group (of an Arrow file: of a batch). Raises BadImageError where there are none."""
    try:
        value = _cells(path, group, column)[row].as_py()
    except (OSError, ValueError, IndexError, KeyError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise BadImageError(f"{path}, row {row + 1} of group {group + 1}: {reason}") from error
    if value is None:
        raise BadImageError(f"{path}, row {row + 1} of group {group + 1}: no picture")
    return value


def open_arrow(path: Path) -> "list[pyarrow.RecordBatch]":
    """The batches of an Arrow file of either kind, mapped into memory. Raises OSError or ValueError where damaged."""
    try:
        import pyarrow
    except ImportError as error:
        raise missing_library(f"Reading {path.name}", "pyarrow", error) from None
    source = pyarrow.memory_map(str(path))
    try:
        reader = pyarrow.ipc.open_file(source)
    except pyarrow.ArrowInvalid:
        source.seek(0)
        return list(pyarrow.ipc.open_stream(source))  # as Hugging Face's datasets writes them
    return [reader.get_batch(number) for number in range(reader.num_record_batches)]


def bytes_of(values: "pyarrow.Array") -> "pyarrow.Array":
    """The bytes themselves, where a column holds `{bytes, path}` objects."""
    import pyarrow

    if not isinstance(values, pyarrow.StructArray):
        return values
    return values.flatten()[values.type.get_field_index("bytes")]


def _cells(path: Path, group: int, column: str) -> Any:
    key = (path, group, column)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
        if path.suffix.lower() in ARROW_SUFFIXES:
            for number, batch in enumerate(open_arrow(path)):
                _kept[path, number, column] = bytes_of(batch.column(column))
        else:
            _kept[key] = _row_group(path, group, column)
        found = _kept[key]
        while len(_kept) > 1 and sum(_held(place) for place in _kept) > KEPT_BYTES:
            _kept.popitem(last=False)
        return found


def _held(place: tuple[Path, int, str]) -> int:
    """What a group takes of memory: a mapped file takes none."""
    return 0 if place[0].suffix.lower() in ARROW_SUFFIXES else _kept[place].nbytes


def _row_group(path: Path, group: int, column: str) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise missing_library(f"Reading {path.name}", "pyarrow", error) from None
    file = _opened.get((os.getpid(), path))
    if file is None:
        while len(_opened) >= MAX_OPEN_FILES:
            _opened.pop(next(iter(_opened)))
        file = _opened[os.getpid(), path] = parquet.ParquetFile(path)
    is_object = column not in (file.schema.column(number).path for number in range(len(file.schema)))
    table = file.read_row_group(group, columns=[f"{column}.bytes" if is_object else column], use_threads=False)
    return bytes_of(table.column(column).combine_chunks())


def forget_tables() -> None:
    """Let go of all files and row groups, for a file that is written again under its name."""
    with _lock:
        _kept.clear()
        _opened.clear()
