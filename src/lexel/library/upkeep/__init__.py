"""Is a library whole, and what is in it? In reading order:

`stats` (in numbers), `row_checks` and `verification` (what is damaged, and its repair), `relocation` (a folder that
lies elsewhere now), `table_export` (all of it as one Parquet file) and `upkeep_methods` (those that `Library` has).
"""
