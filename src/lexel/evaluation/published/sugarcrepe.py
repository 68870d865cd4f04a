"""SugarCrepe (Hsieh et al. 2023): an image, its caption, and one in which a word was added, replaced or swapped.

As published: seven JSON files, `add_att.json` to `swap_obj.json`, each an object of numbered `{"filename", "caption",
"negative_caption"}`. The pictures are COCO's `val2017`.
"""

from pathlib import Path

from lexel.data.pairs import ImageFile, Pair
from lexel.evaluation.published.annotations import PictureFolder, files_of_folder, image_folders, rows_in, text_of
from lexel.evaluation.published.probe_source import CaptionChoice, ProbeSource
from lexel.terminal import counted

KINDS = ("add_att", "add_obj", "replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj")
ADVICE = "They are those of COCO's val2017."


def read_sugarcrepe(path: Path, images: Path | None, name: str) -> ProbeSource:
    """The choices in a folder with some of the seven files, or in one of them."""
    files = [path] if path.is_file() else files_of_folder(path, [f"{kind}.json" for kind in KINDS], "SugarCrepe")
    folder = PictureFolder(image_folders(files[0].parent, images, ("val2017", "images", "../val2017")), ADVICE)
    pairs: dict[str, Pair] = {}
    choices = []
    for file in files:
        for number, row in enumerate(rows_in(file)):
            place = f"{file}, question {number + 1}"
            picture = text_of(row, ("filename", "image", "file_name"), place)
            pairs.setdefault(picture, Pair(picture, ImageFile(folder.find(picture))))
            caption, wrong = text_of(row, ("caption",), place), text_of(row, ("negative_caption",), place)
            choices.append(CaptionChoice(picture, caption, (wrong,), file.stem))
    folder.check(name)
    note = f"{len(choices):,} choices on {counted(len(pairs), 'image')} from {', '.join(file.name for file in files)}"
    return ProbeSource(name, list(pairs.values()), (note,), choices=tuple(choices))
