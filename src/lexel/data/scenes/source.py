"""`scenes:N`, `scenes:N/split`, `scenes:N?seed=S` as a source of pairs."""

import re
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

from lexel.data.pairs import Pair, Source
from lexel.data.scenes.captions import describe
from lexel.data.scenes.dice import Dice
from lexel.data.scenes.drawing import draw
from lexel.data.scenes.world import HELD_OUT, SEEN, SPLITS, SceneLayout, imagine
from lexel.errors import UsageError, did_you_mean

GRAMMAR = re.compile(r"scenes:(?P<count>\d{1,12})(?:/(?P<split>\w+))?(?:\?seed=(?P<seed>\d{1,12}))?")
MEANT = "Write scenes:N, scenes:N/SPLIT or scenes:N/SPLIT?seed=S, for example scenes:20000/train?seed=3."
MOST_SCENES = 1_000_000  # six digits in the key; the pairs alone take about a gigabyte
SEEDS = 2**32

# What a scene's numbers are drawn for. Not 0: NumPy seeds (a, b) and (a, b, 0) alike.
THINKING, DRAWING = 1, 2


@dataclass(frozen=True, slots=True)
class Scene:
    """The scene with this number, always the same; drawn when it is loaded."""

    split: str
    seed: int
    index: int

    def load(self) -> Image.Image:
        """Draw the scene: RGB, 64×64."""
        return _drawn(self).copy()

    def world(self) -> SceneLayout:
        """What the scene shows."""
        return imagine(self.split, self._dice(THINKING))

    def pair(self) -> Pair:
        """The scene with its key, its captions and, where it shows a single kind, its label."""
        dice = self._dice(THINKING)
        world = imagine(self.split, dice)
        label = f"{world.main.colour} {world.main.shape}" if world.other is None else None
        return Pair(f"{self.split}/{self.index:06d}", self, describe(world, dice), label)

    def _dice(self, purpose: int) -> Dice:
        return Dice(self.seed, SPLITS.index(self.split), self.index, purpose)


# Drawing is a fifth of what a small model's training step costs; 12 kB a scene are kept for its next visits.
@lru_cache(maxsize=16384)
def _drawn(scene: Scene) -> Image.Image:
    return draw(scene.world(), scene._dice(DRAWING))


def read_scenes(text: str) -> Source:
    """Make the pairs of `scenes:N[/split][?seed=S]`; split is train (the default), val or test, seed 0 by default."""
    parts = GRAMMAR.fullmatch(text)
    if parts is None:
        raise UsageError(f'"{text}" is not a source of scenes.\n  {MEANT}')
    count, split, seed = int(parts["count"]), parts["split"] or "train", int(parts["seed"] or 0)
    if split not in SPLITS:
        hint = did_you_mean(split, SPLITS)
        raise UsageError(f'"{text}": scenes have no split "{split}".{hint}\n  They have {", ".join(SPLITS)}.')
    if not 1 <= count <= MOST_SCENES:
        raise UsageError(f'"{text}" asks for {count:,} scenes; 1 to {MOST_SCENES:,} can be made.')
    if seed >= SEEDS:
        raise UsageError(f'"{text}": the seed must be below {SEEDS:,}.')
    pairs = [Scene(split, seed, index).pair() for index in range(count)]
    return Source(text, pairs, _notes(count, split, seed), split, SPLITS)


def all_labels() -> list[str]:
    """The names of all hundred combinations of colour and shape, sorted: "black arrow", …"""
    return sorted(f"{colour} {shape}" for shape, colour in SEEN + HELD_OUT)


def held_out_labels() -> list[str]:
    """The names of the combinations that no train or val scene shows or mentions, sorted: the test split's classes."""
    return sorted(f"{colour} {shape}" for shape, colour in HELD_OUT)


def _notes(count: int, split: str, seed: int) -> tuple[str, ...]:
    looks = HELD_OUT if split == "test" else SEEN
    kept = "that train and val do not contain" if split == "test" else f"the other {len(HELD_OUT)} are kept for test"
    return (
        f"{count:,} scenes that Lexel draws itself, split {split}, seed {seed}",
        f"{len(looks)} of {len(SEEN) + len(HELD_OUT)} combinations of colour and shape, {kept}",
    )
