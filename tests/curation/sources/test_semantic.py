import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lexel.curation.sources import semantic
from lexel.curation.sources.semantic import semantic_groups
from lexel.unit_vectors import unit


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 9))
def test_groups_are_those_of_brute_force_whatever_the_blocks(seed, count, block):
    random = np.random.default_rng(seed)
    vectors = unit(random.normal(size=(count, 3)).astype(np.float32))
    prefer = random.permutation(count)
    before, semantic.ROWS_AT_ONCE = semantic.ROWS_AT_ONCE, block
    try:
        found = semantic_groups(vectors, prefer, 0.9)
    finally:
        semantic.ROWS_AT_ONCE = before
    taken: set[int] = set()
    wanted = {}
    for centre in prefer.tolist():  # all in one line: stars of the whole, for none is like what its component is not
        if centre not in taken:
            near = [
                i for i in prefer.tolist() if i not in taken and i != centre and vectors[i] @ vectors[centre] >= 0.9
            ]
            taken |= {centre, *near}
            if near:
                wanted[centre] = tuple(near)
    assert {star.centre: star.others for star in found} == wanted
