"""How does a source become pairs? Folders, tables and made-up scenes, recognised by what is there. In reading order:

`source` (the string that names one), `mixture` (several in one); `folder`, with `class_folders` (labels), `passed_over`
(tables that were not read) and `layouts` (published data sets); `tables`; `splits`; `column_settings` (what the user
names); `paths` and `lookup` (where a table's names lead), `walk` (what lies below a folder); `text` and `encodings`.
"""

from lexel.data.readers.source import read_source

__all__ = ["read_source"]
