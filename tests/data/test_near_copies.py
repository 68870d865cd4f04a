from itertools import combinations, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lexel.data.near_copies import MAX_BITS, DisjointSets, _bit_count, hash_pairs, near_groups, stars
from lexel.data.picture_print import HASH_BITS, MIRRORED, print_likeness, unit_prints

HASHES = st.integers(0, 2**HASH_BITS - 1)


@st.composite
def near_hashes(draw) -> np.ndarray:
    """Hashes of which some are few bits from another, as it is or mirrored."""
    hashes = draw(st.lists(HASHES, min_size=1, max_size=6))
    for _ in range(draw(st.integers(0, 8))):
        copy = draw(st.sampled_from(hashes)) ^ draw(st.sampled_from([0, int(MIRRORED)]))
        for bit in draw(st.lists(st.integers(0, HASH_BITS - 1), max_size=9)):
            copy ^= 1 << bit
        hashes.append(copy)
    return np.array(hashes, np.uint64)


def apart(one: int, other: int) -> list[int]:
    """Bits that differ, as they are and mirrored."""
    return [(int(one) ^ int(other) ^ flip).bit_count() for flip in (0, int(MIRRORED))]


@given(near_hashes(), st.integers(0, MAX_BITS))
def test_all_near_hashes_are_found_once_each_way(hashes, max_bits):
    found = [
        pair for a, b in hash_pairs(hashes, max_bits=max_bits) for pair in zip(a.tolist(), b.tolist(), strict=True)
    ]
    wanted = [
        (i, j)
        for i, j in combinations(range(len(hashes)), 2)
        for bits in apart(hashes[i], hashes[j])
        if bits <= max_bits
    ]
    assert sorted(found) == sorted(wanted)


@given(near_hashes(), near_hashes())
def test_all_near_hashes_of_two_lists_are_found(hashes, others):
    both = np.concatenate([hashes, others[:1]]), others
    found = [pair for a, b in hash_pairs(*both) for pair in zip(a.tolist(), b.tolist(), strict=True)]
    wanted = [
        (i, j)
        for i, j in product(range(len(both[0])), range(len(others)))
        for bits in apart(both[0][i], others[j])
        if bits <= MAX_BITS
    ]
    assert sorted(found) == sorted(wanted)


@given(st.integers(2, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=30))
def test_joined_members_are_in_one_set_and_others_are_not(count, joins):
    joins = [(a % count, b % count) for a, b in joins]
    sets = DisjointSets(range(count))
    neighbours = {member: {member} for member in range(count)}
    for a, b in joins:
        sets.join(a, b)
        joined = neighbours[a] | neighbours[b]
        neighbours |= dict.fromkeys(joined, joined)
    assert {tuple(sorted(found)) for found in sets.sets()} == {tuple(sorted(found)) for found in neighbours.values()}
    assert sets.roots(np.arange(count)).tolist() == [min(neighbours[member]) for member in range(count)]


@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0.1, 1))
def test_every_member_is_in_one_star_and_like_its_centre_but_like_no_earlier_one(count, seed, at_least):
    table = np.random.default_rng(seed).random((count, count))
    table = (table + table.T) / 2
    found = list(stars(range(count), lambda centre, rest: table[centre, rest], at_least))
    assert sorted(one for star in found for one in (star.centre, *star.others)) == list(range(count))
    for number, star in enumerate(found):
        assert all(table[star.centre, other] >= at_least for other in star.others)
        for earlier in found[:number]:
            assert all(table[earlier.centre, one] < at_least for one in (star.centre, *star.others))


def test_groups_are_those_of_brute_force_around_the_preferred_one():
    random = np.random.default_rng(0)
    prints = random.integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)
    noisy = np.clip(prints[[0, 0, 1]] + random.integers(-9, 10, (3, 12, 12, 3)), 0, 255).astype(np.uint8)
    prints = np.concatenate([prints, noisy, prints[[2]][:, :, ::-1]])  # 6 and 7 like 0, 8 like 1, 9 is 2 mirrored
    hashes = random.integers(0, 2**HASH_BITS, 10).astype(np.uint64)
    hashes[[6, 7, 8]] = hashes[[0, 0, 1]] ^ np.uint64(0b1011)
    hashes[9] = hashes[2] ^ MIRRORED
    prefer = np.arange(10)[::-1]
    found = {(star.centre, star.others) for star in near_groups(hashes, prints, prefer, 0.95)}
    assert found == {(7, (6, 0)), (8, (1,)), (9, (2,))}
    units = unit_prints(prints)
    like = {(i, j) for i, j in combinations(range(10), 2) if print_likeness(units[i], units[j]) >= 0.95}
    assert like == {(0, 6), (0, 7), (6, 7), (1, 8), (2, 9)}


def test_alike_prints_with_other_hashes_and_other_prints_with_alike_hashes_make_no_group():
    prints = np.random.default_rng(1).integers(0, 256, (2, 12, 12, 3), dtype=np.uint8)
    one_hash, far_hash = np.array([5, 5], np.uint64), np.array([0, 2**20 - 1], np.uint64)
    assert near_groups(one_hash, prints, np.arange(2)) == []
    assert near_groups(far_hash, prints[[0, 0]], np.arange(2)) == []


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_bits_are_counted_without_numpy_2_too(numbers):
    array = np.array(numbers, np.uint64)
    bit_count = getattr(np, "bitwise_count", None)
    try:
        if bit_count is not None:
            del np.bitwise_count
        assert _bit_count(array).tolist() == [number.bit_count() for number in numbers]
    finally:
        if bit_count is not None:
            np.bitwise_count = bit_count
    assert _bit_count(array).tolist() == [number.bit_count() for number in numbers]
