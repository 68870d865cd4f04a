"""How are pairs kept in tar shards, read from them and written to them? In reading order:

`names` (which shards a text names), `samples` (what a sample's members mean), `index` (arrays that say where each
sample lies), `scan` (from a tar to its index), `unpack` (compressed ones), `pairs` (a sequence that makes pairs when
they are asked for), and `source` (all of it).
"""

from lexel.data.shards.names import named_split, names_shards
from lexel.data.shards.samples import Fields
from lexel.data.shards.source import check_shards, read_shards

__all__ = ["Fields", "check_shards", "named_split", "names_shards", "read_shards"]
