"""A folder that several machines write whole files into: on a disk, or at s3://, gs:// and what else pyarrow reaches.

Who reads sees a file whole or not at all, and of several that are written to the same name at once, one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self
from uuid import uuid4

from lexel.errors import DataError, UsageError
from lexel.files import UNFINISHED, make_folder, write_atomically

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

STORES_OF_WHOLE_FILES = ("s3", "gcs", "abfs")  # stores in which a file appears when it is closed, and has no folders


def is_remote(given: str) -> bool:
    """Whether this is the address of a store rather than a path."""
    return "://" in given


class OutputFolder:
    """Files by name in one folder. Whatever goes wrong with a store raises DataError."""

    def __init__(self, given: str, filesystem: "FileSystem", path: str) -> None:
        self.given = given
        self._filesystem = filesystem
        self._path = path.rstrip("/")

    @classmethod
    def open(cls, given: str) -> Self:
        """The folder at a path or an address, made if need be. Raises UsageError for one that cannot be."""
        from pyarrow import ArrowException
        from pyarrow.fs import FileSystem, LocalFileSystem

        if not is_remote(given):
            path = Path(given).expanduser()
            make_folder(path)
            return cls(given, LocalFileSystem(), str(path.absolute()))
        try:
            folder = cls(given, *FileSystem.from_uri(given))
        except (ArrowException, OSError, ValueError, NotImplementedError) as error:
            raise UsageError(f"{given} cannot be written to: {_first_line(error)}") from None
        if folder._filesystem.type_name not in STORES_OF_WHOLE_FILES:
            with folder._translated_errors():
                folder._filesystem.create_dir(folder._path, recursive=True)
        return folder

    def names(self) -> set[str]:
        """Of the files there are, but those that are being written."""
        from pyarrow.fs import FileSelector

        with self._translated_errors():
            found = self._filesystem.get_file_info(FileSelector(self._path, allow_not_found=True))
        return {info.base_name for info in found if info.is_file and not info.base_name.startswith(".")}

    @contextmanager
    def reading(self, name: str) -> Iterator[IO[bytes]]:
        """The file, for reading anywhere in it."""
        with self._translated_errors(), self._filesystem.open_input_file(self._place(name)) as file:
            yield file  # pyright: ignore[reportReturnType]

    def read(self, name: str) -> bytes:
        """The whole file."""
        with self.reading(name) as file:
            return file.read()

    def write(self, name: str, content: bytes) -> None:
        """Put a file there, in the place of one of the same name."""
        kind = self._filesystem.type_name
        if kind == "local":  # the only one where flushing is ours to do
            write_atomically(Path(self._place(name)), content)
            return
        with self._translated_errors():
            target = self._place(name)
            path = target if kind in STORES_OF_WHOLE_FILES else self._place(f".{name}.{uuid4().hex}{UNFINISHED}")
            with self._filesystem.open_output_stream(path) as file:
                file.write(content)
            if path != target:
                self._filesystem.move(path, target)

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        from pyarrow.fs import FileType

        with self._translated_errors():
            if self._filesystem.get_file_info(self._place(name)).type is not FileType.NotFound:
                self._filesystem.delete_file(self._place(name))

    def _place(self, name: str) -> str:
        return f"{self._path}/{name}"

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Within it, errors of a store become DataError; those of a disk stay OSError."""
        try:
            yield
        except OSError as error:
            if self._filesystem.type_name == "local":
                raise
            raise DataError(f"{self.given}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
