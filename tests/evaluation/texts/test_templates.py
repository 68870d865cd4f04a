import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.errors import DataError, LexelError, UsageError
from lexel.evaluation.texts.templates import families, templates


@pytest.mark.parametrize("name", families())
def test_every_template_of_every_family_has_a_place_for_the_label_and_none_is_there_twice(name):
    assert templates(name) == families()[name]
    assert all("{}" in template for template in templates(name))
    assert len(set(templates(name))) == len(templates(name))


def test_the_families_that_papers_use_are_there_in_full():
    assert {"photo", "imagenet", "satellite", "texture", "digits", "counts", "plain"} <= set(families())
    assert len(templates("imagenet")) == 80
    assert "itap of my {}." in templates("imagenet")
    assert templates("digits") == ('a photo of the number: "{}".',)


def test_a_template_a_list_of_them_and_families_among_them_are_taken():
    assert templates("my {}") == ("my {}",)
    assert templates(["a {}", "the {}"]) == ("a {}", "the {}")
    assert templates(["my {}", "digits", "my {}"]) == ("my {}", *templates("digits"))


def test_a_file_of_ones_own_has_a_template_a_line_or_is_a_json_list(tmp_path):
    (tmp_path / "own.txt").write_text("\ufeff# mine\n\n  a {} of mine.\nthe {}\n", encoding="utf-8")
    (tmp_path / "own.json").write_text(json.dumps(["a {} of mine.", "the {}"]))
    for name in ("own.txt", "own.json"):
        assert templates(str(tmp_path / name)) == ("a {} of mine.", "the {}")


def test_no_file_is_read_where_none_may_be(tmp_path):
    (tmp_path / "own.txt").write_text("a {}\n")
    with pytest.raises(UsageError, match="neither a family of prompt templates, nor a template"):
        templates([str(tmp_path / "own.txt")], files=False)


def test_a_misspelt_family_is_named_with_what_it_may_have_meant():
    with pytest.raises(UsageError, match='Did you mean "photo"'):
        templates("phtoo")


@pytest.mark.parametrize("wrong", [["a photo"], [], ["a {}", "none"], "missing.txt"])
def test_what_is_no_template_is_refused(wrong):
    with pytest.raises(UsageError):
        templates(wrong)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"a photo of a {c}.\n", "no {}"),
        ("a.txt", b"# nothing\n", "holds no prompt templates"),
        ("a.txt", b"\xff\xfe\x00", "not UTF-8"),
        ("a.json", b"{}", "no list"),
        ("a.json", b"[1]", "no list"),
        ("a.json", b"[", "not JSON"),
        ("a.json", b"[" * 100_000, "not JSON"),
    ],
)
def test_a_file_of_something_else_is_refused_in_one_sentence(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        templates(str(tmp_path / name))


@given(st.binary(max_size=60), st.sampled_from([".txt", ".json"]))
def test_any_bytes_give_templates_or_one_error(tmp_path_factory, content, suffix):
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    try:
        found = templates(str(path))
    except LexelError:
        return
    assert found
    assert all("{}" in template for template in found)
