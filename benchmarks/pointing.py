"""The pointing game and insertion/deletion curves of heat maps, on drawn scenes whose objects' places are known.

    python benchmarks/pointing.py MODEL [--scenes 100]

MODEL has learned from drawn scenes (`lexel demo` makes one). Each scene shows two kinds of objects and is asked for one
of them: a pointing hits when the strongest place of the map lies within an object of that kind (Zhang et al. 2018).
Chance is the share of the picture that they cover. Insertion and deletion (Petsiuk et al. 2018): the mean cosine while
the strongest pixels are shown on grey, or covered with grey, step by step; beside a random order of blocks. Methods:
the one that fits the tower, occlusion, and the picture's middle. Every scene is of a split that training never saw.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import lexel
from lexel.data.scenes.source import Scene
from lexel.data.scenes.world import SIZE, Kind, SceneLayout
from lexel.encoder import Encoder
from lexel.generation.heat_maps.explain import explain_texts, scaled
from lexel.generation.heat_maps.geometry import lay_over, seen_area
from lexel.generation.heat_maps.occlusion import occlusion_maps

STEPS = 16
BLOCK = 8  # pixels, of the random order


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--split", default="val", choices=("val", "test"), help="test: combinations never trained on")
    options = parser.parse_args()
    if not Path(options.model).exists():
        parser.exit(message=f"There is no {options.model}: lexel demo makes a model of drawn scenes. Skipped.\n")
    encoder = lexel.load(options.model)
    hits: dict[str, list[bool]] = {}
    curves: dict[str, list[tuple[float, float]]] = {}
    areas = []
    for number, (scene, world, kind) in enumerate(scenes_of_two(options.split, options.scenes)):
        picture, text = scene.load(), f"a {kind.colour} {kind.shape}"
        inside = mask_of(world, kind)
        areas.append(inside.mean())
        for name, heat in maps(encoder, picture, text, number).items():
            place = np.unravel_index(int(heat.argmax()), heat.shape)
            hits.setdefault(name, []).append(bool(inside[place]))
            curves.setdefault(name, []).append(insertion_and_deletion(encoder, picture, text, heat))
    print(f"{encoder.name}: {len(areas)} scenes of {options.split}, chance {np.mean(areas):.1%}")
    print(f"{'map':<14} {'hits':>7} {'± 95 %':>8} {'insertion':>10} {'deletion':>9}   mean cosine")
    for name, found in hits.items():
        share = np.mean(found)
        insertion, deletion = np.mean(curves[name], axis=0)
        doubt = 1.96 * np.sqrt(share * (1 - share) / len(found))
        print(f"{name:<14} {share:>7.1%} {doubt:>8.1%} {insertion:>10.3f} {deletion:>9.3f}")


def scenes_of_two(split: str, count: int) -> list[tuple[Scene, SceneLayout, Kind]]:
    """Scenes that show two kinds, and which of the two is asked for: the first and the second in turn."""
    found: list[tuple[Scene, SceneLayout, Kind]] = []
    index = 0
    while len(found) < count:
        scene = Scene(split, 7, index)
        world = scene.world()
        if world.other is not None:
            found.append((scene, world, world.other if len(found) % 2 else world.main))
        index += 1
    return found


def mask_of(world: SceneLayout, kind: Kind) -> np.ndarray:
    """(SIZE, SIZE): where objects of the kind stand."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    circles = [(x - item.x) ** 2 + (y - item.y) ** 2 <= item.radius**2 for item in world.items if item.kind == kind]
    return np.any(circles, axis=0)


def maps(encoder: Encoder, picture: Image.Image, text: str, seed: int) -> dict[str, np.ndarray]:
    """The heat maps that are compared, each (SIZE, SIZE)."""
    explained = explain_texts(encoder, picture, [text], words=False)
    area = seen_area(*picture.size, encoder.preprocessing)
    covered = occlusion_maps(encoder, encoder.preprocess(picture), encoder.embed_texts([text]))[0]
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    blocks = np.random.default_rng(seed).random((SIZE // BLOCK, SIZE // BLOCK))
    return {
        explained.method: explained.texts[0].heat,
        "by occlusion": scaled(lay_over(covered, area, *picture.size)),
        "the middle": 1 - np.hypot(x - SIZE / 2, y - SIZE / 2) / SIZE,
        "random": blocks.repeat(BLOCK, 0).repeat(BLOCK, 1),
    }


def insertion_and_deletion(encoder: Encoder, picture: Image.Image, text: str, heat: np.ndarray) -> tuple[float, float]:
    """Mean cosines while the strongest pixels are shown on, or covered with, the picture's mean colour."""
    pixels = np.asarray(picture)
    grey = np.broadcast_to(pixels.mean(axis=(0, 1)).round().astype(np.uint8), pixels.shape)
    rank = np.argsort(np.argsort(-heat, axis=None, kind="stable")).reshape(heat.shape)
    shown = [(rank < heat.size * step / STEPS)[..., None] for step in range(STEPS + 1)]
    inserted, deleted = (
        [np.where(part, pixels, grey) for part in shown],
        [np.where(part, grey, pixels) for part in shown],
    )
    cosines = encoder.similarity([*inserted, *deleted], [text])[:, 0]
    return float(cosines[: STEPS + 1].mean()), float(cosines[STEPS + 1 :].mean())


if __name__ == "__main__":
    main()
