"""What can be asked of a painter in one call, and the answer: pictures and what they are of."""

from dataclasses import dataclass
from pathlib import Path

from lexel.data.image_arguments import image_argument
from lexel.errors import UsageError
from lexel.generation.pictures.painter import STRENGTH, Drawn, Painter

COUNT = 8  # pictures, where none is said
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".avif"}


@dataclass(frozen=True)
class Request:
    """A text, a picture to vary or to change, or two ends to go between: exactly one of these."""

    text: str | None = None
    like: str | None = None
    change: tuple[str, str] | None = None
    start: str | None = None
    end: str | None = None
    count: int | None = None
    keep: int | None = None
    seed: int = 0
    size: int | None = None  # pixels that the decoder must have
    steps: int | None = None
    guidance: float | None = None
    strength: float | None = None

    def check(self) -> None:
        """Raise UsageError for what cannot be meant, before anything is loaded."""
        asked = [self.text is not None, self.like is not None, self.start is not None or self.end is not None]
        if sum(asked) != 1:
            raise UsageError(
                "Say what to draw, in one way: a text; --like PICTURE, perhaps with --change BEFORE AFTER;"
                " or --from A --to B."
            )
        if (self.start is None) != (self.end is None):
            raise UsageError("--from and --to go together: the two ends of the way.")
        if self.change is not None and self.like is None:
            raise UsageError("--change needs the picture to be changed: --like PICTURE")
        if self.strength is not None and self.change is None:
            raise UsageError("--strength says how far --change BEFORE AFTER goes, so give that too.")
        if self.keep is not None and (self.start is not None or self.change is not None):
            raise UsageError("--keep takes the best of several; pictures on a way are all kept.")
        for words in (self.text, *(self.change or ()), self.start, self.end):
            if words is not None and not words.strip():
                raise UsageError("A text is empty: say what the picture is to show.")

    def answer(self, painter: Painter) -> list[Drawn]:
        """The pictures: best first, or in order along a way. Raises UsageError."""
        if self.size is not None and self.size != painter.size:
            raise UsageError(
                f"This painter's decoder was made for {painter.size} × {painter.size} pixels, not for {self.size}.\n"
                f"Train one for that size: lexel generate train MODEL SOURCE -o FOLDER --size {self.size}"
            )
        count, common = self.count or COUNT, {"steps": self.steps, "guidance": self.guidance}
        if self.text is not None:
            return painter.generate(self.text, count, seed=self.seed, keep=self.keep, **common)
        if self.start is not None and self.end is not None:
            ends = _end(self.start), _end(self.end)
            return painter.between(*ends, count, seed=self.seed, **common)
        picture = image_argument(self.like or "")
        if self.change is None:
            return painter.vary(picture, count, seed=self.seed, keep=self.keep, **common)
        strength = STRENGTH if self.strength is None else self.strength
        return painter.change(picture, *self.change, count=self.count or 1, strength=strength, **common)

    def texts(self) -> list[str]:
        """All that is meant as words."""
        ends = [end for end in (self.start, self.end) if end is not None and isinstance(_end(end), str)]
        return [*([self.text] if self.text is not None else []), *(self.change or ()), *ends]

    def described(self) -> str:
        """What was asked, in words."""
        if self.text is not None:
            return self.text
        if self.start is not None:
            return f"from {self.start} to {self.end}"
        return f"like {self.like}" + (f", but {self.change[1]} instead of {self.change[0]}" if self.change else "")


def _end(given: str) -> "str | Path | bytes":
    """A picture where there is such a file, else a text. Raises UsageError for a picture's name that is not there."""
    path = Path(given).expanduser()
    try:
        is_file = path.is_file()
    except OSError:  # a text longer than a file's name can be
        is_file = False
    if is_file:
        return path
    return image_argument(given) if path.suffix.lower() in PICTURE_SUFFIXES else given
