"""What a library looks through and what it leaves out, as its records keep it."""

from lexel.library.store.database.paths import as_path
from lexel.library.store.records import Records


def places(records: Records, *kinds: str) -> list[str]:
    """What was added, of the kinds "folder", "source", "mount", sorted."""
    rows = records.rows("SELECT path, kind FROM places")
    return sorted(as_path(path) for path, kind in rows if kind in kinds)


def removed_paths(records: Records) -> list[str]:
    """Files and folders below the places that were removed and are passed over."""
    return [as_path(path) for (path,) in records.rows("SELECT path FROM excluded")]


def stored_patterns(records: Records) -> dict[str, list[str]]:
    """The patterns of what is left out, by the folder that they are for, sorted."""
    found: dict[str, list[str]] = {}
    for folder, pattern in records.rows("SELECT folder, pattern FROM exclude_patterns ORDER BY folder, pattern"):
        found.setdefault(as_path(folder), []).append(pattern)
    return found
