"""How a library is looked after: the methods of `Library` that count, check and export what its records hold."""

from pathlib import Path

from lexel.library.store.records import Records
from lexel.library.upkeep.stats import Stats, stats
from lexel.library.upkeep.table_export import export
from lexel.library.upkeep.verification import Damage, verify


class UpkeepMethods:
    """`stats`, `verify` and `export`, of whatever has `records`."""

    records: Records

    def stats(self) -> Stats:
        """How many photos of what kind, and what they are from."""
        return stats(self.records)

    def verify(self) -> list[Damage]:
        """Look at every row: what is damaged, and what to do about it. Empty when all is whole."""
        return verify(self.records)

    def export(self, path: str | Path) -> int:
        """Write the photos with their vectors into a Parquet file; how many there were."""
        return export(self.records, Path(path).expanduser())
