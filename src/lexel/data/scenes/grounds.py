"""Grounds as pictures: each is painted once, larger than a scene, and every scene cuts its own piece out of it."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lexel.data.scenes.colours import GROUNDS, RGB
from lexel.data.scenes.dice import Dice
from lexel.data.scenes.world import SIZE

SHEET = 160  # pixels, square: what scenes are cut from

Sheet = NDArray[np.floating]  # (SHEET, SHEET, 3), 0..255


def cut_ground(name: str, dice: Dice) -> Image.Image:
    """A piece of the ground of a scene's size, sometimes mirrored."""
    x, y = (int(dice.between(0, SHEET - SIZE + 1)) for _ in range(2))
    piece = _sheet(name).crop((x, y, x + SIZE, y + SIZE))
    return piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if dice.chance(0.5) else piece


@cache
def _sheet(name: str) -> Image.Image:
    noise = np.random.Generator(np.random.PCG64(sum(name.encode())))
    paint = PAINTERS.get(name, _paper)
    return Image.fromarray(np.clip(paint(GROUNDS[name].colours, noise), 0, 255).astype(np.uint8))


def _mix(colours: tuple[RGB, ...], share: NDArray[np.floating]) -> Sheet:
    """From the first colour where `share` (H, W) is 0 to the last where it is 1."""
    stops = np.linspace(0, 1, len(colours))
    channels = [np.interp(share, stops, [colour[i] for colour in colours]) for i in range(3)]
    return np.stack(channels, axis=-1)


def _cloudy(noise: np.random.Generator, across: int, down: int | None = None) -> NDArray[np.floating]:
    """Smooth noise, 0 to 1, with about this many blobs each way."""
    coarse = Image.fromarray(noise.random((down or across, across)).astype(np.float32))
    return np.clip(np.asarray(coarse.resize((SHEET, SHEET), Image.Resampling.BICUBIC)), 0, 1)


def _grain(noise: np.random.Generator, strength: float) -> NDArray[np.floating]:
    return strength * (noise.random((SHEET, SHEET, 1)) - 0.5)


def _paper(colours: tuple[RGB, ...], noise: np.random.Generator) -> Sheet:
    return _mix((colours[0], colours[0]), _cloudy(noise, 5)) + 14 * (_cloudy(noise, 5)[..., None] - 0.5)


def _grass(colours: tuple[RGB, ...], noise: np.random.Generator) -> Sheet:
    blades = 0.5 * _cloudy(noise, 80, 24) + 0.5 * _cloudy(noise, 8)
    return _mix(colours, np.clip(1.6 * blades - 0.3, 0, 1)) + _grain(noise, 14)


def _sea(colours: tuple[RGB, ...], noise: np.random.Generator) -> Sheet:
    y, x = np.mgrid[0:SHEET, 0:SHEET]
    swell = np.sin(y * 0.62 + 1.6 * np.sin(x * 0.21) + 5 * _cloudy(noise, 4))
    return _mix(colours, np.clip(swell * 1.2 - 0.1, 0, 1))


def _sky(colours: tuple[RGB, ...], noise: np.random.Generator) -> Sheet:
    clouds = 0.65 * _cloudy(noise, 6, 10) + 0.35 * _cloudy(noise, 16, 24)
    return _mix(colours, np.clip(4 * clouds - 1.9, 0, 1))


def _sand(colours: tuple[RGB, ...], noise: np.random.Generator) -> Sheet:
    return _mix(colours, 0.6 * _cloudy(noise, 6, 20) + 0.4 * noise.random((SHEET, SHEET))) + _grain(noise, 12)


def _snow(colours: tuple[RGB, ...], noise: np.random.Generator) -> Sheet:
    return _mix(colours, np.clip(1.8 * _cloudy(noise, 4, 9) - 0.5, 0, 1)) + _grain(noise, 6)


def _night(colours: tuple[RGB, ...], noise: np.random.Generator) -> Sheet:
    sky = _mix(colours, _cloudy(noise, 5))
    y, x = (noise.random((2, 130)) * SHEET).astype(int)
    sky[y, x] = 110 + 120 * noise.random((130, 1))
    return sky


def _bricks(colours: tuple[RGB, ...], noise: np.random.Generator) -> Sheet:
    height, width = 10, 20
    wall = Image.new("RGB", (SHEET, SHEET), (196, 178, 162))
    draw = ImageDraw.Draw(wall)
    for row in range(SHEET // height):
        for left in range(-width // 2 * (row % 2), SHEET, width):
            share = noise.random()
            colour = tuple(int(a + (b - a) * share) for a, b in zip(*colours, strict=True))
            draw.rectangle((left, row * height, left + width - 2, row * height + height - 2), fill=colour)
    return np.asarray(wall, np.float32) + _grain(noise, 16)


def _wood(colours: tuple[RGB, ...], noise: np.random.Generator) -> Sheet:
    boards = _mix(colours, 0.7 * _cloudy(noise, 5, 60) + 0.3 * _cloudy(noise, 3, 10))
    boards[::20] *= 0.72
    return boards


def _blackboard(colours: tuple[RGB, ...], noise: np.random.Generator) -> Sheet:
    return _mix(colours, 0.6 * _cloudy(noise, 4) + 0.4 * _cloudy(noise, 20, 6)) + _grain(noise, 8)


def _sunset(colours: tuple[RGB, ...], noise: np.random.Generator) -> Sheet:
    height = np.linspace(0, 1, SHEET)[:, None]
    return _mix(colours, np.clip(height + 0.12 * (_cloudy(noise, 3, 14) - 0.5), 0, 1))


PAINTERS: dict[str, Callable[[tuple[RGB, ...], np.random.Generator], Sheet]] = {
    "grass": _grass,
    "sea": _sea,
    "sky": _sky,
    "sand": _sand,
    "snow": _snow,
    "night": _night,
    "bricks": _bricks,
    "wood": _wood,
    "blackboard": _blackboard,
    "sunset": _sunset,
}
