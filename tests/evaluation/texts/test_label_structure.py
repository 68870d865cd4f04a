import pytest

from lexel.evaluation.texts.label_structure import holds_several_labels, is_hierarchy, label_parts, label_path


@pytest.mark.parametrize(
    ("label", "parts"), [("dog, cat", ["dog", "cat"]), ("dog;cat|dog", ["dog", "cat"]), ("big dog", ["big dog"])]
)
def test_the_labels_of_one_image_are_told_apart(label, parts):
    assert label_parts(label) == parts


@pytest.mark.parametrize(
    ("labels", "several"),
    [
        (["dog, cat", "dog", "cat, bird, dog"], True),
        (["Paris, France", "Rome, Italy"], False),
        (["dog", "cat"], False),
        (["a;b", "b;c", "c;a"], True),
        ([], False),
    ],
)
def test_names_with_commas_are_no_lists(labels, several):
    assert holds_several_labels(labels) == several


@pytest.mark.parametrize(
    ("labels", "hierarchy"),
    [
        (["animal/dog", "animal/cat", "plant/rose"], True),
        (["animal > dog", "animal > cat", "plant > rose", "other"], True),
        (["and/or", "dog", "cat"], False),
        (["a/b", "c/d"], False),
        (["a/b", "a/c"], False),
    ],
)
def test_paths_share_their_first_level(labels, hierarchy):
    assert is_hierarchy(labels) == hierarchy


def test_a_path_has_levels():
    assert label_path("animal / dog") == ("animal", "dog")
