"""Which pictures of a source a person should look at: some at random, and those that stand out."""

import numpy as np

from lexel.data.audit.looks import Looks

SEED = 0
SHOWN_RANDOM = 24
SHOWN_ODD = 8  # of each kind
MIN_ASPECT = 3.0  # of the longer side to the shorter, from which a picture is called a sliver
DARK_GREY, BRIGHT_GREY = 24.0, 245.0  # mean grey levels below and above which a picture is called dark or bright


def odd_pictures(looks: Looks) -> dict[str, list[int]]:
    """Indices of pictures by what is odd about them; a kind of which there are none is left out.

    "random" comes first, the same ones each time. "flat" are of one colour.
    """
    rows, readable = looks.rows, looks.readable
    shown = rows[readable]
    long_side = np.maximum(shown["width"], shown["height"]).astype(np.float64)
    short_side = np.minimum(shown["width"], shown["height"]).astype(np.float64)
    aspect = long_side / np.maximum(short_side, 1)
    flat = looks.flat[readable]
    chosen = np.sort(np.random.default_rng(SEED).permutation(readable)[:SHOWN_RANDOM])
    kinds = {
        "random": chosen,
        "smallest": readable[_first(short_side, short_side < np.median(short_side) if len(short_side) else flat)],
        "largest": readable[_first(-short_side, short_side > np.median(short_side) if len(short_side) else flat)],
        "slivers": readable[_first(-aspect, aspect >= MIN_ASPECT)],
        "darkest": readable[_first(shown["grey"], (shown["grey"] < DARK_GREY) & ~flat)],
        "brightest": readable[_first(-shown["grey"], (shown["grey"] > BRIGHT_GREY) & ~flat)],
        "flat": readable[_first(shown["spread"], flat)],
    }
    return {name: indices.tolist() for name, indices in kinds.items() if len(indices)}


def _first(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Positions of the least values where `among` (N,) bool holds, equal ones in order."""
    order = np.argsort(values, kind="stable")
    return order[among[order]][:SHOWN_ODD]
