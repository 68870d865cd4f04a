"""Which published layout does a folder have, so that it is read without naming its table? In reading order:

`parts` (tables and their splits as one source), `coco` (COCO's captions, Karpathy's splits), `flickr` (Flickr8k and
Flickr30k as their authors and as Kaggle lay them out) and `hugging_face` (saved data sets, folders of Parquet files).
"""

from collections.abc import Callable
from pathlib import Path

from lexel.data.readers.layouts.coco import find_coco
from lexel.data.readers.layouts.flickr import find_flickr
from lexel.data.readers.layouts.hugging_face import find_parquet, find_saved
from lexel.data.readers.layouts.parts import Layout, read_layout

LAYOUTS: tuple[Callable[[Path], Layout | None], ...] = (find_saved, find_coco, find_flickr)

__all__ = ["Layout", "find_layout", "find_parquet", "read_layout"]


def find_layout(root: Path) -> Layout | None:
    """The layout of a folder, told by the names of the files that its publisher gave it; None: it has none of these."""
    return next((found for find in LAYOUTS if (found := find(root))), None)
