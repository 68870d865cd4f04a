"""The ten colours, the grounds that scenes stand on, and which colours can be distinguished."""

from dataclasses import dataclass
from functools import cache
from itertools import product
from math import hypot, sqrt

RGB = tuple[int, int, int]

COLOURS: dict[str, RGB] = {
    "red": (214, 38, 42),
    "orange": (247, 132, 24),
    "yellow": (252, 216, 40),
    "green": (42, 150, 66),
    "blue": (28, 108, 222),
    "purple": (138, 52, 166),
    "pink": (246, 138, 188),
    "brown": (118, 70, 38),
    "black": (26, 26, 30),
    "white": (250, 250, 248),
}

# What stripes, dots and checks are painted with: light on the deep colours, deeper on the light ones.
TRIMS: dict[str, RGB] = {
    "red": (255, 214, 206),
    "orange": (255, 230, 196),
    "yellow": (226, 160, 10),
    "green": (196, 236, 190),
    "blue": (196, 218, 255),
    "purple": (228, 204, 246),
    "pink": (255, 232, 242),
    "brown": (214, 178, 140),
    "black": (176, 176, 184),
    "white": (156, 166, 184),
}

PLAINLY_SEEN = 30.0  # CIE94; red on bricks is 12, orange on wood 16, blue on the sea 21, yellow on orange 28


@dataclass(frozen=True, slots=True)
class Ground:
    """What a scene stands on: its main colours, and the ways to say it."""

    colours: tuple[RGB, ...]
    phrases: tuple[str, ...]


def _tint(name: str, colour: RGB) -> Ground:
    article = "an" if name[0] in "aeiou" else "a"
    return Ground((colour,), (f"on {article} {name} background", f"on {name}", f"on {name} paper"))


GROUNDS = {
    "cream": _tint("cream", (246, 236, 212)),
    "grey": _tint("grey", (158, 160, 164)),
    "pale blue": _tint("pale blue", (192, 216, 240)),
    "pale green": _tint("pale green", (198, 228, 198)),
    "lilac": _tint("lilac", (214, 202, 234)),
    "grass": Ground(((112, 172, 72), (88, 150, 60)), ("on the grass", "in a meadow", "on a green field", "on a lawn")),
    "sea": Ground(((58, 140, 186), (96, 174, 208)), ("on the sea", "on the water", "on blue waves", "at sea")),
    "sky": Ground(((124, 184, 236), (184, 216, 244)), ("in the sky", "in a blue sky", "among the clouds")),
    "sand": Ground(((226, 204, 156), (212, 186, 136)), ("on the sand", "on a sandy beach", "on the beach")),
    "snow": Ground(((238, 243, 250), (214, 224, 238)), ("in the snow", "on white snow", "on snow")),
    "night": Ground(((20, 24, 58), (34, 38, 82)), ("in the night sky", "at night", "in the dark")),
    "bricks": Ground(((168, 92, 70), (150, 80, 62)), ("on a brick wall", "in front of a brick wall", "on bricks")),
    "wood": Ground(((204, 166, 116), (186, 146, 98)), ("on a wooden table", "on wood", "on wooden boards")),
    "blackboard": Ground(((52, 70, 64), (66, 84, 78)), ("on a blackboard", "on the blackboard")),
    "sunset": Ground(
        ((116, 84, 150), (177, 106, 132), (238, 134, 110), (246, 170, 118), (252, 204, 130)),
        ("at sunset", "in the evening sky", "before a sunset"),
    ),
}


def distance(one: RGB, other: RGB) -> float:
    """How different two colours look, by CIE94: about 2 is just seen, 100 is black against white."""
    (l1, a1, b1), (l2, a2, b2) = _lab(one), _lab(other)
    chroma1, chroma2 = hypot(a1, b1), hypot(a2, b2)
    chroma, strength = chroma1 - chroma2, sqrt(chroma1 * chroma2)
    hue = sqrt(max((a1 - a2) ** 2 + (b1 - b2) ** 2 - chroma**2, 0.0))
    return hypot(l1 - l2, chroma / (1 + 0.045 * strength), hue / (1 + 0.015 * strength))


@cache
def apart(one: str, other: str) -> bool:
    """Whether a shape of one colour is plainly seen on a shape of the other."""
    return distance(COLOURS[one], COLOURS[other]) >= PLAINLY_SEEN


@cache
def grounds_for(colours: frozenset[str]) -> tuple[str, ...]:
    """The grounds on which every one of the colours is plainly seen."""
    return tuple(
        name
        for name, ground in GROUNDS.items()
        if all(distance(COLOURS[c], g) >= PLAINLY_SEEN for c, g in product(colours, ground.colours))
    )


@cache
def _lab(colour: RGB) -> tuple[float, float, float]:
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    r, g, b = linear
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)
