from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lexel.curation.sources.balance import Entries, balanced, caption_entries, label_entries, word_entries
from lexel.data.pairs import ImageFile, Pair

ENTRIES = st.lists(st.sets(st.sampled_from("abcde")), max_size=40)


def pair(*captions: str, label: str | None = None) -> Pair:
    return Pair("k", ImageFile("x"), captions, label)


@given(ENTRIES, st.integers(1, 8), st.integers(0, 3))
def test_each_entry_keeps_what_the_cap_allows_and_what_has_none_stays(entries, cap, seed):
    keys = [f"k{number}" for number in range(len(entries))]
    stays = balanced(keys, entries, cap, seed)
    before = Counter(entry for found in entries for entry in found)
    after = Counter(entry for found, kept in zip(entries, stays, strict=True) if kept for entry in found)
    assert all(after[entry] >= min(cap, count) for entry, count in before.items())
    assert all(kept for found, kept in zip(entries, stays, strict=True) if not found)
    assert sum(stays) <= sum(not found for found in entries) + sum(min(cap, count) for count in before.values())


@given(st.lists(st.sampled_from("abc"), max_size=60), st.integers(1, 8), st.integers(0, 3))
def test_pairs_of_one_entry_each_are_capped_exactly(labels, cap, seed):
    stays = balanced([str(number) for number in range(len(labels))], [{label} for label in labels], cap, seed)
    kept = Counter(label for label, stay in zip(labels, stays, strict=True) if stay)
    assert kept == {label: min(cap, count) for label, count in Counter(labels).items()}


@given(ENTRIES, st.integers(1, 8), st.randoms())
def test_the_draw_does_not_depend_on_the_order_of_the_pairs(entries, cap, random):
    keyed = [(f"k{number}", found) for number, found in enumerate(entries)]

    def kept(given: list[tuple[str, set[str]]]) -> set[str]:
        stays = balanced([key for key, _ in given], [found for _, found in given], cap)
        return {key for (key, _), stay in zip(given, stays, strict=True) if stay}

    assert kept(keyed) == kept(random.sample(keyed, len(keyed)))


def test_another_seed_draws_others():
    keys, entries = [str(number) for number in range(100)], [{"a"}] * 100
    assert balanced(keys, entries, 50, 0) != balanced(keys, entries, 50, 1)


def test_entries_are_labels_captions_words_or_phrases_of_a_list():
    one = pair("A red fox, running", "red!", label="Fox")
    assert label_entries(one) == {"fox"}
    assert label_entries(pair()) == set()
    assert caption_entries(one) == {"a red fox running", "red"}
    assert word_entries(one) == {"a", "red", "fox", "running"}
    listed = Entries(["Red fox", "fox", "RED", "ox", "", "fox running a"])
    assert listed(one) == {"red fox", "fox", "red"}
