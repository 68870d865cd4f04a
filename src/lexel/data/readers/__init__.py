"""Reading sources of pairs: folders, tables and made-up scenes, told apart by what is there."""

from lexel.data.readers.source import read_source

__all__ = ["read_source"]
