import pytest

from lexel.data.captions import fill
from lexel.errors import UsageError
from lexel.evaluation.texts.prompts import TEMPLATES, templates


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_of_every_set_has_a_place_for_the_label_and_none_is_there_twice(name):
    assert templates(name) == TEMPLATES[name]
    assert all("{}" in template for template in templates(name))
    assert len(set(templates(name))) == len(templates(name))


def test_a_template_or_a_list_of_templates_is_taken_as_it_is():
    assert templates("my {}") == ("my {}",)
    assert templates(["a {}", "the {}"]) == ("a {}", "the {}")


def test_a_misspelt_set_is_named_with_what_it_may_have_meant():
    with pytest.raises(UsageError, match='Did you mean "photo"'):
        templates("phtoo")


@pytest.mark.parametrize("wrong", [["a photo"], [], ["a {}", "none"]])
def test_a_template_without_a_place_for_the_label_is_refused(wrong):
    with pytest.raises(UsageError):
        templates(wrong)


def test_a_label_with_braces_is_put_in_unchanged():
    assert fill("a {} and {}", "{x}") == "a {x} and {x}"
