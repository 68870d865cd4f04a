"""How does a source become shards that are quick to train from? In reading order:

`settings`, `sample` (a pair as members of a tar, its picture resized once), `shard` (one tar and its index, written
whole), `manifest` (what a folder is of, what was written and what was dropped), `folder` (whether it may be written
to), and `source` (all shards of one; resumable).
"""

from lexel.data.packing.folder import check_apart, check_folder
from lexel.data.packing.manifest import PackJob, PackManifest
from lexel.data.packing.settings import PackSettings
from lexel.data.packing.source import pack, pack_splits

__all__ = ["PackJob", "PackManifest", "PackSettings", "check_apart", "check_folder", "pack", "pack_splits"]
