"""Files by their content: equal files share one content, which has one thumbnail and one vector."""

from collections import defaultdict

from lexel.library.store.database.paths import as_path
from lexel.library.store.records import Records


def has_vector(records: Records, digest: bytes) -> bool:
    """Whether a content is embedded already."""
    query = "SELECT 1 FROM contents JOIN vectors ON vectors.content = id WHERE hash = ?"
    return bool(records.rows(query, (digest,)))


def files_by_content(records: Records) -> dict[int, list[int]]:
    """The ids of the photos of each content, ascending; without those that have vanished."""
    files: dict[int, list[int]] = defaultdict(list)
    for id, content in records.rows("SELECT id, content FROM files WHERE NOT missing ORDER BY id"):
        files[content].append(id)
    return files


def paths_of_content(records: Records, content: int) -> list[str]:
    """The files of a content, those that have vanished last."""
    rows = records.rows("SELECT path FROM files WHERE content = ? ORDER BY missing, id", (content,))
    return [as_path(path) for (path,) in rows]


def vanished_without_vector(records: Records) -> set[int]:
    """The ids of vanished photos that have to be embedded when they are back."""
    query = "SELECT id FROM files WHERE missing AND content NOT IN (SELECT content FROM vectors)"
    return {id for (id,) in records.rows(query)}


def searched_paths(records: Records) -> list[str]:
    """The path of every photo that has not vanished."""
    return [as_path(path) for (path,) in records.rows("SELECT path FROM files WHERE NOT missing")]


def highest_id(records: Records) -> int:
    """The highest number that a photo has; 0 without photos."""
    return int(records.rows("SELECT max(id) FROM files")[0][0] or 0)
