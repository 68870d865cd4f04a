"""The Library: a folder of records and vectors that knows your pictures, kept up to date and searched.

    library = Library.open("photos.lexel", "ViT-B-32/openai", create=True)
    library.add("~/Pictures")
    library.search("a red bicycle in the snow")

The records are the truth; the vectors' file beside them is a cache that is rebuilt whenever it does not fit them.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from lexel.data.pairs import Source
from lexel.data.readers import read_source
from lexel.data.readers.paths import has_image_extension
from lexel.encoder import Encoder
from lexel.errors import LexelError, UsageError
from lexel.library.disk.captions import annotate, files_of, take_tables
from lexel.library.disk.changes_on_disk import Scope, compare_with_disk, describe_absent, describe_left_out
from lexel.library.disk.indexing import Added, Indexing
from lexel.library.disk.present import why_absent
from lexel.library.model import LibraryModel, ModelLike, load_model
from lexel.library.search.filters import Filter
from lexel.library.search.search_methods import SearchMethods
from lexel.library.store.contents import searched_paths
from lexel.library.store.database.locking import only_writer
from lexel.library.store.database.paths import absolute, is_below, outermost, readable
from lexel.library.store.database.schema import DATABASE
from lexel.library.store.places import places
from lexel.library.store.records import Photo, Records
from lexel.library.upkeep.upkeep_methods import UpkeepMethods

if TYPE_CHECKING:
    from lexel.library.index.vectors import Vectors

Given = str | Path | Source


class Library(SearchMethods, UpkeepMethods):
    """A library of pictures. Open with `Library.open`, close when done or use it in a `with` block.

    Changing it raises UsageError while another process changes it, and DataError when the disk is full; what was
    committed before is whole.

    Example:
        with lexel.Library.open("photos.lexel", "ViT-B-32/openai", create=True) as library:
            library.add("~/Pictures")
            library.search("a dog on a beach", after="2024")
    """

    def __init__(self, records: Records, model: LibraryModel) -> None:
        self.records = records
        self._model = model
        self._vectors: Vectors | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        encoder: ModelLike | None = None,
        *,
        create: bool = False,
        reembed: bool = False,
    ) -> Self:
        """Open the library in a folder; with `create`, make an empty one where there is none.

        `encoder` is an Encoder, or a model as `lexel.load` takes it, which is loaded when first needed; the default is
        the model that the library was made with. Another model is refused with UsageError, or with `reembed` every
        picture is embedded again by it; that goes on where it was cut off, and the old model's vectors stay until it
        is done.
        """
        folder = absolute(path)
        if create and not (Path(folder) / DATABASE).exists():
            if encoder is None:
                raise UsageError(f"A new library needs a model: lexel index {path} FOLDER --model MODEL")
            encoder = load_model(encoder)  # first: a model that is not there must leave no empty library
        with ExitStack() as stack:
            records = stack.enter_context(Records.open(folder, create=create))
            library = cls(records, LibraryModel(records, encoder, may_differ=reembed))
            if reembed:
                library.reembed()
            stack.pop_all()
        return library

    def close(self) -> None:
        self.records.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The library's folder."""
        return self.records.folder

    @property
    def encoder(self) -> Encoder:
        """The model. Raises UsageError when it cannot be loaded or is not the one that the vectors are from."""
        return self._model.encoder

    @property
    def vectors(self) -> "Vectors":
        """The vectors as they are in the records now, ready to be searched."""
        from lexel.library.index.vectors import Vectors

        if self._vectors is None or self._vectors.generation != self.records.generation:
            self._vectors = Vectors.open(self.path, self.records)
        return self._vectors

    @property
    def folders(self) -> list[str]:
        """The folders and sources that `refresh` looks through."""
        return places(self.records, "folder", "source")

    def add(self, given: Given | Sequence[str | Path], *, vanished: bool = False) -> Added:
        """Bring the library up to date with a folder and all below it, some files, or a Source.

        Only what is new or changed is embedded; what has vanished is marked, what has moved is followed. Text files
        and metadata tables beside pictures give captions and labels. The same call again goes on where one was cut off.
        Where all or nearly all of a folder is gone, nothing is marked unless `vanished` confirms it.
        Raises UsageError for what is not there.
        """
        if isinstance(given, Source):
            return self._add_source(given)
        if isinstance(given, str | Path):
            if Path(absolute(given)).is_dir():
                return self._add_folders([absolute(given)], vanished)
            if not _is_picture(absolute(given)):
                return self._add_source(read_source(str(given), text_required=False), absolute(given))
            given = [given]
        return self._add_each([absolute(path) for path in given], vanished)

    def refresh(self, *, vanished: bool = False) -> Added:
        """Bring the library up to date with all that was ever added; `vanished` as for `add`."""
        from lexel.library.index.index_files import clear_unfinished

        with only_writer(self.path):
            clear_unfinished(self.path)
        roots = places(self.records, "folder")
        sources, notes = self._read_sources()
        loose = {path for path in searched_paths(self.records) if not any(is_below(path, root) for root in roots)}
        loose.update(path for source in sources for path in files_of(source.pairs, source.name))
        if not (roots or loose):
            raise UsageError(f"{self.path} knows no folder yet. Give one: lexel index {self.path} FOLDER")
        there = [root for root in roots if Path(root).is_dir()]
        scope = Scope(tuple(outermost(there)), tuple(sorted(loose)), vanished_confirmed=vanished)
        added = self.bring_up_to_date(scope, [pair for source in sources for pair in source.pairs])
        for root in roots:
            if root not in there:
                notes.append(describe_absent(root, len(self.records.ids_of(root)), self.path))
        added.notes += notes
        return added

    def watch(self, on_change: Callable[[Added], None], stop: Callable[[], bool] = lambda: False) -> None:
        """Refresh, then follow the folders until Ctrl-C or `stop()`; new files are found within seconds.

        `on_change` is called with what came of each change. Needs the package watchfiles.
        """
        from lexel.library.disk.watching import watch

        watch(self, on_change, stop)

    def remove(self, given: str | Path | Iterable[int]) -> int:
        """Forget photos, by their numbers or by the file or folder; how many there were. No picture file is touched.

        They stay away: a folder that was added is no longer looked through, and what lies below one that still is, is
        passed over until it is added itself.
        """
        with only_writer(self.path):
            if isinstance(given, str | Path):
                removed = [absolute(given)]
                ids = self.records.ids_of(removed[0])
                if not ids and not any(is_below(place, removed[0]) for place in self.folders):
                    raise UsageError(f"{self.path} has nothing of {given}.")
            else:
                ids = [int(id) for id in given]
                removed = [photo.path for photo in self.records.photos(ids)]
            with self.records.changing() as changes:
                count = changes.remove_files(ids)
                changes.drop_orphans()
                for path in removed:
                    changes.exclude(path)
        return count

    def exclude(self, patterns: Iterable[str], folders: Iterable[str | Path] = (), *, replace: bool = False) -> None:
        """Leave out of folders, by default all that were added, what matches a pattern, from the next look on.

        `*.png` and `drafts` match the name of any file or folder, `2019/raw` a path from the folder on, `raw/` folders
        only. Patterns are kept, beside earlier ones or in their place. Photos that are left out are found no more, and
        are back when no pattern matches. Raises UsageError for a pattern that matches everything.

        Example: `library.exclude(["*.png", "drafts/"], ["~/Pictures"])`
        """
        from lexel.library.disk.exclusions import exclude

        chosen = [absolute(folder) for folder in folders] or places(self.records, "folder")
        exclude(self.records, chosen, patterns, replace=replace)

    def reembed(self) -> None:
        """Embed every picture by this library's encoder where its vectors are of another; goes on where it stopped."""
        from lexel.library.disk.reembedding import reembed

        with only_writer(self.path):
            reembed(self.records, self._model)

    def passing(self, asked: Filter) -> list[np.ndarray | None]:
        """Ids of the photos that pass a filter, None for all; if a folder is away, those below it in a second array."""
        passing = asked.ids(self.records)
        away = [self.records.ids_of(root) for root in places(self.records, "folder") if not Path(root).is_dir()]
        if not any(away):
            return [passing]
        everything = self.vectors.ids if passing is None else passing
        is_away = np.isin(everything, np.concatenate(away))
        return [everything[~is_away], everything[is_away]]

    def newest(self, asked: Filter, count: int) -> np.ndarray:
        """Ids of the newest photos that pass a filter, newest first."""
        return asked.newest(self.records, count)

    def is_there(self, photo: Photo) -> bool:
        """Whether the photo's file is on the disk at this moment, perhaps changed since it was indexed."""
        return why_absent(photo) in (None, "changed")

    def bring_up_to_date(self, scope: Scope, pairs: Sequence = ()) -> Added:
        """What `add` does, for a part of the disk; `pairs` give captions and labels."""
        encoder = self.encoder
        with only_writer(self.path):
            self._model.remember(self.records)
            disk = compare_with_disk(self.records, scope)
            indexing = Indexing(self.records, encoder, disk)
            added = indexing.run()
            added.notes += describe_left_out(disk, self.path)
            added.unreadable += disk.problems
            added.notes += take_tables(self.records, disk.tables, indexing.ids)
            if pairs:
                with self.records.changing() as changes:
                    annotate(changes, pairs)
        return added

    def _add_each(self, given: list[str], vanished: bool) -> Added:
        folders = [path for path in given if Path(path).is_dir()]
        files = [path for path in given if path not in folders]
        for path in files:
            if not _is_picture(path):
                raise UsageError(f"{path} is no picture file." if Path(path).exists() else f"There is no {path}.")
        added = self._add_folders(folders, vanished) if folders else Added()
        if files:
            self._admit(files)
            added += self.bring_up_to_date(Scope(files=tuple(files)))
        return added

    def _add_folders(self, folders: list[str], vanished: bool) -> Added:
        for folder in folders:
            if (Path(folder) / DATABASE).exists():
                raise UsageError(f"{readable(folder)} is a library, not a folder of pictures. Give your pictures' own.")
        self._admit(folders, "folder")
        return self.bring_up_to_date(Scope(tuple(outermost(folders)), vanished_confirmed=vanished))

    def _add_source(self, source: Source, named: str | None = None) -> Added:
        """`named` is what to read it by again."""
        files = files_of(source.pairs, source.name)
        self._admit([named] if named else [], "source")
        added = self.bring_up_to_date(Scope(files=tuple(files)), source.pairs)
        added.notes += source.notes
        return added

    def _read_sources(self) -> tuple[list[Source], list[str]]:
        """The sources that were added, and notes on those that cannot be read now."""
        sources, notes = [], []
        for name in places(self.records, "source"):
            try:
                sources.append(read_source(name, text_required=False))
            except LexelError as error:
                notes.append(f"{readable(name)} is passed over; its photos are kept: {error}")
        return sources, notes

    def _admit(self, given: list[str], kind: str | None = None) -> None:
        """Note what is to be looked through from now on; what was removed and is given itself may come back."""
        self._model.check()  # first: nothing is noted for a model that does not fit
        with only_writer(self.path), self.records.changing() as changes:
            for path in given:
                if kind is not None:
                    changes.add_place(path, kind)
                changes.admit(path)


def _is_picture(path: str) -> bool:
    return has_image_extension(path) and Path(path).is_file()
