"""`scenes:N`: a small world of coloured shapes that Lexel draws itself, for the demo and the tests.

Ten shapes in ten colours, with sizes, textures, counts, places and relations, and captions that say what is to be
seen. Thirty of the hundred combinations of shape and colour are held out: no training or validation scene shows or
mentions one, every test scene is about one. So classification of the test split is zero-shot in the strict sense.
"""

from lexel.data.scenes.source import Scene, all_labels, held_out_labels, read_scenes

__all__ = ["Scene", "all_labels", "held_out_labels", "read_scenes"]
