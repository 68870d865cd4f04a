"""How does a published data set come onto this machine, in a layout that Lexel reads? In reading order:

`catalog` with `catalog.toml` (the data sets that are known), `unpack` (archives, which are not trusted), `convert`
(each published layout to one that is read) and `pull` (all of it, going on where it stopped).
"""

from lexel.data.named.catalog import NamedDataset, catalog, find_named
from lexel.data.named.pull import pull

__all__ = ["NamedDataset", "catalog", "find_named", "pull"]
