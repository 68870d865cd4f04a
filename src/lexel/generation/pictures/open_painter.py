"""Opening a painter for a request: its parts in memory, and notes on what the request asks too much of."""

from pathlib import Path

from lexel.encoder import Encoder
from lexel.evaluation.texts.long_texts import about_cut_texts
from lexel.generation.pictures.folder import read_facts
from lexel.generation.pictures.painter import Painter
from lexel.generation.pictures.published import is_published
from lexel.generation.pictures.request import Request
from lexel.loading import load
from lexel.progress import say


def open_painter(folder: Path, model: str | None, request: Request) -> Painter:
    """The painter in the folder; `model` says where its CLIP lies now. Says which texts are cut. Raises UsageError."""
    encoder = None
    if model is not None:
        clip = None if is_published(folder) else read_facts(folder).clip
        encoder = load(model, runtime=clip and clip.runtime, number_format=clip and clip.number_format)
    painter = Painter.load(folder, encoder)
    if isinstance(painter.space, Encoder) and (cut := about_cut_texts(painter.space, request.texts(), "texts")):
        say(f"Note: {cut}")
    return painter
