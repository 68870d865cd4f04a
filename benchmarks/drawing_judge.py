"""How well the judge of the drawing game tells writing from drawing, and how often a written word beats a drawing.

    python benchmarks/drawing_judge.py MODEL DRAWINGS

MODEL is a model that knows what is drawn; DRAWINGS a folder of real drawings with metadata.jsonl (file_name, label,
split), such as Quick, Draw!; those of its test split are used. Writing is set in typefaces that the judge has not seen
(those that come with matplotlib), turned and slanted; a third of it beside a drawing of something else.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import lexel
from lexel.server.drawing.judge import DrawingJudge, Verdict, points_of
from lexel.server.drawing.prompts import everyday_prompts

SIDE = 256  # pixels
EACH = 60  # drawings, and pieces of writing, of each label
TYPEFACES = ("STIXGeneral", "STIXGeneralItalic", "STIXGeneralBol", "cmr10", "cmss10", "cmti10", "cmtt10")


def main(model: str, folder: Path) -> None:
    encoder = lexel.load(model)
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["split"] == "test"]
    labels = sorted({row["label"] for row in rows})
    judge = DrawingJudge(encoder, [f"a {label}" for label in labels] + list(everyday_prompts()))
    drawings = {
        label: [_drawing(folder / row["file_name"]) for row in rows if row["label"] == label][:EACH] for label in labels
    }
    random = np.random.default_rng(1)
    words = {label: [_writing(label, random) for _ in range(EACH)] for label in labels}
    beside = {
        label: [
            _beside(drawings[labels[(number + 1) % len(labels)]][i], word)
            for i, word in enumerate(words[label][: EACH // 2])
        ]
        for number, label in enumerate(labels)
    }
    drawn = {label: [judge.judge(image, f"a {label}") for image in drawings[label]] for label in labels}
    print(f"{encoder.name}: {len(labels)} labels, {len(judge.prompts)} prompts, {EACH} drawings of each label")
    print(
        f"real drawings: first among all prompts {_share(v.place == 1 for v in _all(drawn)):.1%}, "
        f"taken for writing {_share(v.is_writing for v in _all(drawn)):.1%}, mean points {_points(_all(drawn)):.0f}"
    )
    for name, images in (("the word alone", words), ("the word beside another drawing", beside)):
        cheats = {label: [judge.judge(image, f"a {label}") for image in images[label]] for label in labels}
        print(
            f"{name}: first among all prompts {_share(v.place == 1 for v in _all(cheats)):.1%}, "
            f"taken for writing {_share(v.is_writing for v in _all(cheats)):.1%}, mean points "
            f"{_points(_all(cheats)):.0f} ({_points(_all(cheats), defended=False):.0f} undefended); beats a drawing "
            f"{_beats(cheats, drawn):.1%} ({_beats(cheats, drawn, defended=False):.1%} undefended)"
        )


def _all(verdicts: dict[str, list[Verdict]]) -> list[Verdict]:
    return [verdict for several in verdicts.values() for verdict in several]


def _share(holds: Iterable[bool]) -> float:
    return float(np.mean([bool(one) for one in holds]))


def _value(verdict: Verdict, defended: bool) -> float:
    return verdict.points if defended else points_of(verdict.probability, 0.0)


def _points(verdicts: Sequence[Verdict], defended: bool = True) -> float:
    return float(np.mean([_value(verdict, defended) for verdict in verdicts]))


def _beats(cheats: dict[str, list[Verdict]], drawn: dict[str, list[Verdict]], defended: bool = True) -> float:
    """How often a cheat has more points than a real drawing of the same prompt, over all pairs."""
    return float(
        np.mean(
            [_value(c, defended) > _value(d, defended) for label in drawn for c in cheats[label] for d in drawn[label]]
        )
    )


def _drawing(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _writing(text: str, random: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), "white")
    pen = ImageDraw.Draw(image)
    name = TYPEFACES[int(random.integers(len(TYPEFACES)))]
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for size in range(int(random.integers(40, 110)), 12, -4):
        font = ImageFont.truetype(folder / f"{name}.ttf", size)
        left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
        if right - left < SIDE - 20:
            break
    place = random.uniform(6, SIDE - 6 - (right - left)) - left, random.uniform(6, SIDE - 6 - (bottom - top)) - top
    ink = judging_inks()[int(random.integers(len(judging_inks())))]
    pen.text(place, text, ink, font)
    turned = image.rotate(random.uniform(-20, 20), Image.Resampling.BICUBIC, fillcolor="white")
    slant = random.uniform(-0.3, 0.3)
    return turned.transform(
        turned.size,
        Image.Transform.AFFINE,
        (1, slant, -slant * SIDE / 2, 0, 1, 0),
        Image.Resampling.BICUBIC,
        fillcolor="white",
    )


def judging_inks() -> tuple[tuple[int, int, int], ...]:
    return ((20, 20, 24), (200, 40, 40), (40, 80, 200), (130, 60, 170))


def _beside(drawing: Image.Image, word: Image.Image) -> Image.Image:
    """A drawing of something else above, the word below."""
    image = Image.new("RGB", (SIDE, SIDE), "white")
    image.paste(drawing.resize((SIDE // 2, SIDE // 2)), (SIDE // 4, 0))
    image.paste(word.resize((SIDE * 2 // 3, SIDE // 2)), (SIDE // 6, SIDE // 2))
    return image


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
