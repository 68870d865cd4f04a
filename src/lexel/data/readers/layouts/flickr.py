"""Flickr8k and Flickr30k: the authors' token files with their lists of splits, and what Kaggle makes of them."""

from pathlib import Path

from lexel.data.readers.layouts.parts import Layout

TOKENS = ("Flickr8k.token.txt", "results_20130124.token", "Flickr30k.token.txt")
_LISTS = {"train": "Flickr_8k.trainImages.txt", "val": "Flickr_8k.devImages.txt", "test": "Flickr_8k.testImages.txt"}
_FOLDERS = ("", "Flickr8k_text", "flickr8k_text", "Flickr8k", "flickr30k", "captions")
_KAGGLE = {"captions.txt": b"image,caption", "results.csv": b"image_name| comment_number| comment"}


def find_flickr(root: Path) -> Layout | None:
    """The authors' token file, with the lists of Flickr8k's splits beside it, or else Kaggle's table."""
    for folder in (root / name for name in _FOLDERS):
        for name in TOKENS:
            if (folder / name).is_file():
                tokens = (folder / name,)
                return Layout(
                    "Flickr's sentences", tokens, split_of=_splits(folder), image="column 1", caption="column 2"
                )
    for name, header in _KAGGLE.items():
        if _begins_with(root / name, header):
            return Layout("Flickr's sentences from Kaggle", (root / name,))
    return None


def _splits(folder: Path) -> dict[str, str]:
    """The split of each picture that a list names, by the name without its extension."""
    found: dict[str, str] = {}
    for split, name in _LISTS.items():
        if (folder / name).is_file():
            lines = (folder / name).read_text(encoding="utf-8", errors="replace").split()
            found |= {line.partition(".")[0]: split for line in lines}
    return found


def _begins_with(path: Path, header: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.readline(200).removeprefix(b"\xef\xbb\xbf").strip() == header
