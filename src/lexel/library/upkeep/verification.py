"""Whether a library is whole: its database as SQLite sees it, its tables, every row, and the index beside it.

Rows have checksums; captions, tags and names are compared with the index of words, which has them a second time. What
`repair` can mend is mended from the picture files at the next `lexel index`, so that numbers and tags stay.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lexel.library.store import integrity
from lexel.library.store.database.locking import only_writer
from lexel.library.store.database.paths import readable
from lexel.library.store.records import Records
from lexel.library.upkeep.row_checks import LENGTH_TOLERANCE, DamagedRows, look_at_rows
from lexel.terminal import counted

MAX_PHOTOS_NAMED = 3  # in one damage
MAX_PHOTOS_SEARCHED_FOR = 200  # each by its own vector

_COPY = "Put back a copy of the library, or index the pictures into a new one."
_KINDS_OF_PLACES = {"folder", "source", "mount"}


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is damaged, and what to do about it."""

    what: str
    remedy: str  # for the user


def verify(records: Records) -> list[Damage]:
    """What is damaged in the records and their index; empty when all is whole."""
    try:
        damages = _of_the_file(records)
        if damages:
            return damages  # what would be read next may be anything
        damages = _of_the_words(records)
        rows = look_at_rows(records)
        return damages + list(_of_the_rows(records, rows)) + _of_the_index(records)
    except integrity.READING_ERRORS as error:
        return [Damage(str(error).splitlines()[0], _COPY)]


def repair(records: Records) -> int:
    """Have what is damaged in single photos read from their files again, and forget the index; returns the photo count.

    Photos without a sound vector or thumbnail count as vanished until the next look at their files, which embeds them;
    their numbers, tags and captions stay. Damage of the database itself cannot be mended: see `verify`.
    """
    from lexel.library.index.index_files import STAMP_NAME

    if _of_the_file(records):
        return 0
    rows = look_at_rows(records)
    contents = {*rows.no_vector, *rows.wrong_vector, *rows.thumbnail}
    with only_writer(records.folder), records.changing() as changes:
        photos = integrity.forget_damaged(changes, contents, rows.facts)
        (records.folder / STAMP_NAME).unlink(missing_ok=True)
    return len({*photos, *rows.facts})


def _how_to_repair(records: Records) -> str:
    return f"lexel library verify {records.folder} --repair, then lexel index {records.folder}"


def _of_the_file(records: Records) -> list[Damage]:
    found = integrity.page_errors(records)
    if found:
        return [Damage(f"records.sqlite is damaged: {found[0]}", _COPY)]
    strays = integrity.stray_row_count(records)
    if strays:
        return [Damage(f"{counted(strays, 'row refers', 'rows refer')} to what is not there.", _COPY)]
    changed = integrity.changed_tables(records)
    if changed:
        return [Damage(f"The table {changed[0]} is not as Lexel makes it.", _COPY)]
    if not integrity.facts_are_as_written(records):
        return [Damage("What the library knows of its model is not what was written.", _COPY)]
    integrity.read_tables_without_checksums(records)
    wrong = sorted(integrity.kinds_of_places(records) - _KINDS_OF_PLACES, key=repr)
    return [Damage(f"There is no kind of folder called {wrong[0]!r}.", _COPY)] if wrong else []


def _of_the_words(records: Records) -> list[Damage]:
    if records.read_only or integrity.words_fit(records):
        return []
    return [Damage("The index of words does not fit the photos' captions, tags and names.", _how_to_repair(records))]


def _of_the_rows(records: Records, rows: DamagedRows) -> Iterator[Damage]:
    mend = _how_to_repair(records)
    by_content, by_photo = integrity.path_with_content, integrity.path_of_photo
    for ids, path_of, what, remedy in (
        (rows.no_vector, by_content, "have no vector", mend),
        (
            rows.wrong_vector,
            by_content,
            f"have a vector that is not the one written, of {records.dimensions} numbers",
            mend,
        ),
        (rows.thumbnail, by_content, "have a thumbnail that is not the one written", mend),
        (
            rows.facts,
            by_photo,
            "have a size, date, place, camera or keywords that are not those written",
            mend,
        ),
        (rows.entry, by_photo, "have an entry that is not as Lexel writes it", _COPY),
    ):
        if ids:
            yield Damage(_name_photos(records, ids, path_of, what), remedy)


def _name_photos(records: Records, ids: Sequence[int], path_of: Callable[[Records, int], str], what: str) -> str:
    first = [readable(path_of(records, id)) for id in ids[:MAX_PHOTOS_NAMED]]
    return f"{counted(len(ids), 'photo')} {what}: {', '.join(first)}{' …' if len(ids) > MAX_PHOTOS_NAMED else ''}"


def _of_the_index(records: Records) -> list[Damage]:
    """Whether a search in the index finds the photos that the records have."""
    from lexel.library.index.index_files import STAMP_NAME, intact
    from lexel.library.index.vectors import Vectors

    if not records.count:
        return []
    if (records.folder / STAMP_NAME).exists() and not intact(records.folder):
        return [Damage("The index of the vectors is damaged.", _how_to_repair(records))]
    vectors = Vectors.open(records.folder, records)
    ids = records.ids_where("1")
    scores, _ = vectors.search(vectors.vectors_of(ids[:: max(1, len(ids) // MAX_PHOTOS_SEARCHED_FOR)]), 1)
    if vectors.count != len(ids) or scores.min() < 1 - LENGTH_TOLERANCE:
        return [Damage("The index of the vectors does not find the photos of the records.", _how_to_repair(records))]
    return []
