"""How a library's SQLite file is laid out, opened and guarded.

In reading order: `paths` (as users give them, as SQLite keeps them, as they are shown), `tables` (the tables, in SQL),
`schema` (how the file is opened, and SQLite's errors), `migration` (from an older format to this one), `checksums` (of
rows, to know damage by), `budget` (what a query that a user has written may cost), `locking` (one writer at a time).
"""
