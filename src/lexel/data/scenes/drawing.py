"""Worlds as pictures: each shape is drawn at four times its size, shrunk to a soft-edged mask, and painted through it.

Shade, turn, shadow, outline and gloss vary from shape to shape, so that a colour is never one value and a shape never
one stencil; the colour that is named always covers most of it.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from lexel.data.scenes.colours import COLOURS, RGB, TRIMS
from lexel.data.scenes.dice import Dice
from lexel.data.scenes.grounds import cut_ground
from lexel.data.scenes.shapes import SHAPES
from lexel.data.scenes.world import Item, SceneLayout

FINER = 4  # times finer than a pixel

TRIM_STRENGTH = 0.9
SHADOW = [int(0.34 * level) for level in range(256)]
GLOSS = [int(0.30 * level) for level in range(256)]
LINE = [int(0.75 * level) for level in range(256)]


def draw(world: SceneLayout, dice: Dice) -> Image.Image:
    """The world as an RGB image, SIZE × SIZE; the dice throw what neither label nor captions speak of."""
    picture = cut_ground(world.ground, dice)
    shadow, line = dice.chance(0.5), dice.chance(0.35)
    for item in world.items:
        _draw_item(picture, item, shadow, line, dice)
    return picture


def _draw_item(picture: Image.Image, item: Item, shadow: bool, line: bool, dice: Dice) -> None:
    kind, shape = item.kind, SHAPES[item.kind.shape]
    corner = int(item.x - item.radius) - 1, int(item.y - item.radius) - 1
    side = int(2 * item.radius) + 4
    centre = (item.x - corner[0]) * FINER, (item.y - corner[1]) * FINER
    contours = shape.placed(*centre, item.radius * FINER, dice.between(-shape.turn, shape.turn))

    mask = _fill(contours, side)
    colour = _shade(COLOURS[kind.colour], dice)
    if shadow:
        picture.paste((10, 10, 20), (corner[0] + 1, corner[1] + 2), mask.point(SHADOW))
    picture.paste(colour, corner, mask)
    if kind.texture != "plain":
        trim = _texture(kind.texture, side, item.radius, dice)
        picture.paste(TRIMS[kind.colour], corner, ImageChops.multiply(mask, trim))
    if dice.chance(0.5):
        picture.paste((255, 255, 255), corner, ImageChops.multiply(mask, _gloss(side)).point(GLOSS))
    if line or kind.texture != "plain":  # a trim may have the tone of the ground, and the shape would fray
        dark = tuple(int(c * 0.45) for c in colour)
        picture.paste(dark, corner, _outline(contours, side).point(LINE))


def _shade(colour: RGB, dice: Dice) -> RGB:
    light = dice.between(0.94, 1.06)
    r, g, b = (min(int(c * light + dice.between(-6, 6)), 255) for c in colour)
    return max(r, 0), max(g, 0), max(b, 0)


def _fill(contours: list[list[tuple[float, float]]], side: int) -> Image.Image:
    fine = Image.new("L", (side * FINER, side * FINER))
    pen = ImageDraw.Draw(fine)
    for i, contour in enumerate(contours):
        pen.polygon(contour, fill=255 if i == 0 else 0)
    return fine.reduce(FINER)


def _outline(contours: list[list[tuple[float, float]]], side: int) -> Image.Image:
    fine = Image.new("L", (side * FINER, side * FINER))
    pen = ImageDraw.Draw(fine)
    for contour in contours:
        pen.line([*contour, contour[0], contour[1]], fill=255, width=FINER, joint="curve")
    return fine.reduce(FINER)


@cache
def _gloss(side: int) -> Image.Image:
    """Light from above that fades out half-way down."""
    fade = np.clip(1 - 2 * np.arange(side) / side, 0, 1)
    return Image.fromarray(np.repeat((255 * fade)[:, None], side, axis=1).astype(np.uint8))


def _texture(name: str, side: int, radius: float, dice: Dice) -> Image.Image:
    """Where the trim colour goes: stripes at any angle, dots or checks on a slightly turned grid."""
    period = max(4.6, radius * (0.52 if name == "striped" else 0.62))
    angle = dice.between(0, np.pi) if name == "striped" else dice.between(-0.3, 0.3)
    cells = _grid(side, period, angle, dice.between(0, 1), dice.between(0, 1))
    if name == "striped":
        depth = (0.19 - np.abs(cells[0] % 1 - 0.5)) * period
    elif name == "dotted":
        depth = (0.29 - np.hypot(cells[0] % 1 - 0.5, cells[1] % 1 - 0.5)) * period
    else:
        depth = np.sin(np.pi * cells[0]) * np.sin(np.pi * cells[1]) * period / 2.2 - 0.25
    return Image.fromarray((255 * TRIM_STRENGTH * np.clip(depth + 0.5, 0, 1)).astype(np.uint8))


def _grid(side: int, period: float, angle: float, du: float, dv: float) -> NDArray[np.float64]:
    """Coordinates (2, side, side) on a turned and shifted grid with cells of `period` pixels."""
    steps = np.arange(side) / period
    cos, sin = np.cos(angle), np.sin(angle)
    across, down = steps[None, :], steps[:, None]
    return np.stack([across * cos + down * sin + du, down * cos - across * sin + dv])
