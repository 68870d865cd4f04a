"""Embedding whole collections into Parquet: resumable, in parts, on one machine or many.

In reading order:

items            what is embedded: pictures of a source, or texts (`texts` reads those)
table            some items as a table with their embeddings; `extra_columns` are those of the source's own table
plan             how a source is cut into shards, the same for every worker
shards           the engine: writes the shards that are not there yet, and the manifest at last
output_folder    where they go: a disk or an object store
one_file         the shards in a hidden folder, joined into one file
ray              the shards handed out to the nodes of a Ray cluster
"""
