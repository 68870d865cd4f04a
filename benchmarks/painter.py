"""Do generated pictures show what was asked? Judged by a classifier that shares nothing with painter and CLIP.

    python benchmarks/painter.py PAINTER [--scenes 200] [--judge judge.safetensors] [--sheet sheet.png]

PAINTER was trained on drawn scenes (docs/generation.md). The judge is a convolutional network of its own, trained here
for it (some minutes on one core; --judge keeps it) with other scenes than the painter's: of all hundred combinations of
shape and colour, so that it knows those which the painter has never seen. It names shape, colour, count and ground. Its
own accuracy is measured on real scenes, shrunk as the painter's are.

Texts name one kind of objects, "three red stars on the grass": of the validation split, whose combinations the painter
knows, and of the test split, whose combinations it has never seen. One picture a text, the first of its seed, not the
best of several; --best N takes the best of N by the painter's own CLIP. Three rows beside it say where errors come
from: real scenes of the text, pictures decoded from the vectors of these real scenes (no prior), and pictures of
another text (chance).
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lexel.data.scenes.colours import COLOURS, GROUNDS
from lexel.data.scenes.shapes import SHAPES
from lexel.data.scenes.source import Scene
from lexel.data.scenes.world import SceneLayout
from lexel.generation.pictures.painter import Painter
from lexel.runtimes.bfloat16 import has_fast_bfloat16

QUESTIONS = {"shape": list(SHAPES), "colour": list(COLOURS), "count": [1, 2, 3, 4], "ground": list(GROUNDS)}
JUDGE_SEED = 7001  # of scenes and weights; no painter learns from scenes of this seed
PHRASES = ("", "a ", "two ", "three ", "four ")


@dataclass
class Asked:
    """A text, and what a picture of it must show."""

    text: str
    answers: dict[str, int]
    scene: Scene


class Judge(nn.Module):
    """A plain convolutional network with one head a question. Pictures (B, 3, 32, 32) in 0..1 → logits."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for entering, leaving, stride in ((3, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1)):
            layers += [nn.Conv2d(entering, leaving, 3, stride, 1), nn.BatchNorm2d(leaving), nn.LeakyReLU(0.1)]
        self.features = nn.Sequential(
            *layers, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(128 * 16, 256), nn.LeakyReLU(0.1)
        )
        self.heads = nn.ModuleDict({name: nn.Linear(256, len(answers)) for name, answers in QUESTIONS.items()})

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        found = self.features(2 * pictures - 1)
        return {name: head(found) for name, head in self.heads.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("painter", type=Path)
    parser.add_argument("--scenes", type=int, default=200, help="texts of each split")
    parser.add_argument("--judge", type=Path, default=Path("judge.safetensors"))
    parser.add_argument("--best", type=int, default=1, help="pictures a text, of which CLIP chooses one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float, help="of the decoder; the default is the painter's own")
    parser.add_argument("--steps", type=int, help="of the decoder; the default is the painter's own")
    parser.add_argument("--split", choices=("val", "test"), help="one of the two only")
    parser.add_argument("--sheet", type=Path, help="write the first 64 pictures of each split here")
    options = parser.parse_args()
    if not options.painter.exists():
        parser.exit(message=f"There is no {options.painter}: docs/generation.md says how it is trained. Skipped.\n")
    judge = trained_judge(options.judge)
    painter = Painter.load(options.painter)
    for split in (options.split,) if options.split else ("val", "test"):
        asked = texts_of(split, options.scenes)
        real = np.stack([shrunk(each.scene, painter.size) for each in asked])
        how = {"seed": options.seed, "steps": options.steps, "guidance": options.guidance}
        decoded = painter.decode(painter.space.embed_images([each.scene for each in asked]), **how)
        made = generated(painter, asked, options.best, **how)
        known = "never seen" if split == "test" else "seen"
        print(f"{split}: {len(asked)} texts, combinations {known} in training, ± 95 %")
        print(f"{'pictures':<28}" + "".join(f"{name:>16}" for name in (*QUESTIONS, "shape+colour", "all")))
        for name, pictures, shift in (
            ("real scenes", real, 0),
            ("of real scenes' vectors", decoded, 0),
            ("of texts" + (f", best of {options.best}" if options.best > 1 else ""), made, 0),
            ("of other texts (chance)", made, 1),
        ):
            print(f"{name:<28}" + "".join(f"{share:>16}" for share in shares(judge, pictures, asked, shift)))
        if options.sheet:
            write_sheet(options.sheet.with_stem(f"{options.sheet.stem}-{split}"), made[:64])


def texts_of(split: str, count: int) -> list[Asked]:
    """Texts of `count` scenes with one kind of objects, and what is to be seen."""
    found: list[Asked] = []
    for index in range(10 * count):
        scene = Scene(split, 0, index)
        world = scene.world()
        if world.other is None:
            found.append(Asked(phrase(world), answers_of(world), scene))
        if len(found) == count:
            break
    return found


def phrase(world: SceneLayout) -> str:
    """ "three red stars on the grass" """
    kind, noun = world.main, world.main.shape
    if kind.count > 1:
        noun += "es" if noun.endswith("s") else "s"
    article = "an " if kind.count == 1 and kind.colour[0] in "aeiou" else PHRASES[kind.count]
    return f"{article}{kind.colour} {noun} {GROUNDS[world.ground].phrases[0]}"


def answers_of(world: SceneLayout) -> dict[str, int]:
    """The right answer to each question, by number."""
    kind = world.main
    found = {"shape": kind.shape, "colour": kind.colour, "count": kind.count, "ground": world.ground}
    return {name: answers.index(found[name]) for name, answers in QUESTIONS.items()}


def generated(painter: Painter, asked: list[Asked], best: int, **how: Any) -> np.ndarray:
    """uint8 (N, 3, S, S): for each text the first picture, or the one of `best` that CLIP likes best."""
    texts = [each.text for each in asked for _ in range(best)]
    pictures = painter.draw(texts, **how)
    if best == 1:
        return pictures
    images = painter.space.embed_images([picture.transpose(1, 2, 0) for picture in pictures])
    scores = (images * painter.space.embed_texts(texts)).sum(axis=1).reshape(-1, best)
    return pictures.reshape(-1, best, *pictures.shape[1:])[np.arange(len(asked)), scores.argmax(axis=1)]


def shares(judge: Judge, pictures: np.ndarray, asked: list[Asked], shift: int) -> list[str]:
    """How often the judge sees what was asked, for each question, for shape and colour, and for all four."""
    with torch.no_grad():
        logits = judge(judged(torch.from_numpy(pictures)))
    right = {
        name: logits[name].argmax(1).numpy() == np.roll([each.answers[name] for each in asked], shift)
        for name in QUESTIONS
    }
    columns = [*right.values(), right["shape"] & right["colour"], np.all(list(right.values()), axis=0)]
    return [
        f"{column.mean():.1%} ± {1.96 * np.sqrt(column.mean() * (1 - column.mean()) / len(column)):.1%}"
        for column in columns
    ]


def judged(pictures: Tensor) -> Tensor:
    """uint8 pictures (N, 3, S, S) as the judge sees them: float, 32 × 32."""
    found = pictures.float() / 255
    return found if found.shape[-1] == 32 else nn.functional.interpolate(found, 32, mode="area")


def shrunk(scene: Scene, size: int) -> np.ndarray:
    """The scene as uint8 (3, size, size)."""
    return np.asarray(scene.load().resize((size, size), Image.Resampling.BICUBIC)).transpose(2, 0, 1)


def trained_judge(path: Path, scenes: int = 24_000, epochs: int = 8) -> Judge:
    """The judge from `path`, or trained and kept there; prints its accuracy on scenes that it has not seen."""
    torch.manual_seed(JUDGE_SEED)
    judge = Judge()
    if not path.exists():
        learn_to_judge(judge, scenes, epochs)
        save_file(judge.state_dict(), path)
    judge.load_state_dict(load_file(path))
    judge.eval()
    for split in ("val", "test"):
        asked = texts_of(split, 1000)
        pictures = np.stack([shrunk(each.scene, 32) for each in asked])
        print(
            f"judge on real scenes, {split}: "
            + ", ".join(
                f"{name} {share}"
                for name, share in zip(
                    (*QUESTIONS, "shape+colour", "all"), shares(judge, pictures, asked, 0), strict=True
                )
            )
        )
    return judge


def learn_to_judge(judge: Judge, scenes: int, epochs: int) -> None:
    """Train on scenes of all combinations, with another seed than any painter's."""
    pictures, answers = [], {name: [] for name in QUESTIONS}
    for split, share in (("train", 0.7), ("test", 0.3)):
        for index in range(int(scenes * share)):
            scene = Scene(split, JUDGE_SEED, index)
            world = scene.world()
            if world.other is None:
                pictures.append(shrunk(scene, 32))
                for name, answer in answers_of(world).items():
                    answers[name].append(answer)
    data = torch.from_numpy(np.stack(pictures))
    right = {name: torch.tensor(column) for name, column in answers.items()}
    steps, fast = epochs * len(data) // 128, has_fast_bfloat16(torch.device("cpu"))
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for step in range(steps):
        rows = torch.randint(len(data), (128,))
        shown = data[rows].float() / 255
        shown = shown + 0.03 * torch.randn_like(shown)  # generated pictures are not as clean as drawn ones
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            logits = judge(shown)
        loss = sum(nn.functional.cross_entropy(logits[name].float(), right[name][rows]) for name in QUESTIONS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"judge: step {step}/{steps}, loss {loss.item():.3f}", flush=True)


def write_sheet(path: Path, pictures: np.ndarray) -> None:
    """Eight pictures a row, at three times their size."""
    side = pictures.shape[-1]
    sheet = Image.new("RGB", (8 * (side + 2), -(-len(pictures) // 8) * (side + 2)), "white")
    for number, picture in enumerate(pictures):
        place = (number % 8 * (side + 2), number // 8 * (side + 2))
        sheet.paste(Image.fromarray(picture.transpose(1, 2, 0)), place)
    sheet.resize((3 * sheet.width, 3 * sheet.height), Image.Resampling.NEAREST).save(path)


if __name__ == "__main__":
    main()
