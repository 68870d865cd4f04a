"""How does a source become pairs? Folders, tables and made-up scenes, recognised by what is there. In reading order:

`source` (the string that names one), `folder` and `tables`, `splits`, `column_settings` (columns that the user names),
`paths` and `moved_paths` (where a table's paths lead), `text` (encodings).
"""

from lexel.data.readers.source import read_source

__all__ = ["read_source"]
