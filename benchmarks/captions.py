"""Captions of drawn scenes, whose colour, shape and count are known; and how fast a captioner captions.

    python benchmarks/captions.py CAPTIONER [--scenes 300]

CAPTIONER has learned from drawn scenes: lexel demo, then lexel caption train MODEL scenes:6000 -o CAPTIONER. Scenes of
one kind of shape are captioned; the first shape that the caption names counts, with its colour and number. "val" shows
combinations of colour and shape that were trained on, "test" others that neither the model nor the captioner has seen.
Beside it: the nearest caption that was learned from, which knows no other combinations. Below: pictures a second from
their vectors, with the key-value cache and without it (the whole sentence computed again for each token).
"""

import argparse
import re
import resource
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch

import lexel
from lexel.data.scenes.captions import NUMBERS, plural
from lexel.data.scenes.colours import COLOURS
from lexel.data.scenes.shapes import SHAPES
from lexel.data.scenes.source import Scene
from lexel.data.scenes.world import Kind
from lexel.generation.captions.captioner import Captioner
from lexel.generation.captions.decoder import CaptionDecoder
from lexel.generation.captions.search import SearchSettings, beam_search

SHAPE_OF = {name: shape for shape in SHAPES for name in (shape, plural(shape))}
ROUNDS = 3


class WithoutCache:
    """The decoder, computing the whole sentence again for each token: what the cache spares."""

    def __init__(self, decoder: CaptionDecoder) -> None:
        self.decoder = decoder

    def start(self, vectors: torch.Tensor, first: int) -> tuple[torch.Tensor, "TokensSoFar"]:
        so_far = TokensSoFar(vectors, torch.full((len(vectors), 1), first))
        return self.decoder(so_far.vectors, so_far.ids)[:, -1], so_far

    def next(self, ids: torch.Tensor, cache: "TokensSoFar") -> torch.Tensor:
        cache.ids = torch.cat([cache.ids, ids[:, None]], 1)
        return self.decoder(cache.vectors, cache.ids)[:, -1]


class TokensSoFar:
    """What stands in the cache's place: the vectors and the tokens themselves."""

    def __init__(self, vectors: torch.Tensor, ids: torch.Tensor) -> None:
        self.vectors, self.ids = vectors, ids

    def choose(self, rows: torch.Tensor) -> None:
        self.vectors, self.ids = self.vectors[rows], self.ids[rows]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captioner")
    parser.add_argument("--scenes", type=int, default=300)
    parser.add_argument("--model", help="where the captioner's model lies, if it has moved")
    options = parser.parse_args()
    if not Path(options.captioner).exists():
        parser.exit(message=f"There is no {options.captioner}: lexel caption train makes one. Skipped.\n")
    captioner = lexel.Captioner.load(options.captioner, options.model)
    print(f"{'scenes':<7} {'way':<16} {'colour':>7} {'shape':>7} {'count':>7} {'all':>7}   95 % of all ± ")
    for split in ("val", "test"):
        scenes = scenes_of_one_kind(split, options.scenes)
        kinds = [scene.world().main for scene in scenes]
        vectors = captioner.encoder.embed_images([scene.load() for scene in scenes])
        ways = {
            "captioner": [found.candidates[0].text for found in captioner.describe(vectors, least="any")],
            "nearest caption": captioner.memory.nearest(vectors),
        }
        for way, captions in ways.items():
            right = np.array([judge(caption, kind) for caption, kind in zip(captions, kinds, strict=True)])
            shares, every = right.mean(axis=0), right.all(axis=1).mean()
            doubt = 1.96 * np.sqrt(every * (1 - every) / len(right))
            print(
                f"{split:<7} {way:<16}" + "".join(f" {share:>7.1%}" for share in (*shares, every)) + f" {doubt:>8.1%}"
            )
    measure_speed(captioner, vectors)


def scenes_of_one_kind(split: str, count: int) -> list[Scene]:
    """The first scenes of a seed of their own that show a single kind."""
    found: list[Scene] = []
    index = 0
    while len(found) < count:
        scene = Scene(split, 11, index)
        if scene.world().other is None:
            found.append(scene)
        index += 1
    return found


def judge(caption: str, kind: Kind) -> tuple[bool, bool, bool]:
    """Whether colour, shape and count are right, of the first shape that the caption names."""
    words = re.findall(r"\w+", caption)
    place = next((number for number, word in enumerate(words) if word in SHAPE_OF), None)
    if place is None:
        return False, False, False
    before, behind = words[:place], words[place + 1 : place + 3]
    colour = behind[1] if len(behind) == 2 and behind[0] == "in" and behind[1] in COLOURS else last(before, COLOURS)
    number = last(before, [*NUMBERS[2:], "pair"])
    count = 1 if number is None else 2 if number == "pair" else NUMBERS.index(number)
    return colour == kind.colour, SHAPE_OF[words[place]] == kind.shape, count == kind.count


def last(words: Sequence[str], wanted: Collection[str]) -> str | None:
    """The last of the words that is wanted."""
    return next((word for word in reversed(words) if word in wanted), None)


@torch.no_grad()
def measure_speed(captioner: Captioner, vectors: np.ndarray) -> None:
    """Pictures a second of beam search alone, medians of interleaved rounds, and what CLIP's ordering adds."""
    inputs, words = torch.from_numpy(captioner.input_vectors(vectors)), captioner.vocabulary
    ways = {
        "beam search, cached": lambda: beam_search(captioner.decoder, inputs, words, 5, 0.7),
        "beam search, not cached": lambda: beam_search(WithoutCache(captioner.decoder), inputs, words, 5, 0.7),
        "greedy, cached": lambda: beam_search(captioner.decoder, inputs, words, 1, 0.7),
        "beam search and CLIP": lambda: captioner.describe(vectors, SearchSettings(), least="any"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - began)
    print(f"\n{'5 beams, ' + str(torch.get_num_threads()) + ' threads':<26} {'pictures/s':>10}")
    for name, taken in seconds.items():
        print(f"{name:<26} {len(vectors) / sorted(taken)[len(taken) // 2]:>10,.0f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB; torch {torch.__version__}")


if __name__ == "__main__":
    main()
