import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.errors import UsageError
from lexel.training.recipe import Recipe

MINIMAL = 'steps = 5\n[data]\nsources = [{ source = "scenes:100" }]\n'
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from([*Recipe.model_fields, "data.sources", "model.image.depth", "optimizer.learning_rate", "x"])


def refusal(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UsageError) as caught:
        Recipe.load(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"steps = {'[' * 100_000}", "nested too deep"),
        (f"steps = {'[' * 50}{']' * 50}", "nested more than 20 deep"),
        (f"{'a.' * 1000}a = 1", "nested more than 20 deep"),
        (f"[{'.'.join('a' * 1000)}]\nb = 1", "nested more than 20 deep"),
        (f"steps = {'9' * 1_000_000}", "digit"),
        (f"steps = {'9' * 400}", r"99999999… (400 digits) is no number for a setting"),
        ("epochs = inf", "inf is no number for a setting"),
        ("seed = nan", "nan is no number for a setting"),
        (b"name = '\xff'", "is not a readable recipe"),
        ("x = '" + "y" * 2_000_000 + "'", "too large for a recipe"),
    ],
    ids=["brackets", "lists", "dots", "table", "digits", "number", "infinite", "nan", "not UTF-8", "large"],
)
def test_a_recipe_that_goes_too_far_is_one_clear_error(tmp_path, content, reason):
    said = refusal(tmp_path / "far.toml", content)
    assert reason in said
    assert "far.toml" in said
    assert len(said) < 400


@pytest.mark.parametrize("content", ["[" * 100_000, "[1, 2]", "7" * 100_000, '{"steps": NaN}', "{", ""])
def test_so_is_a_saved_recipe(tmp_path, content):
    assert len(refusal(tmp_path / "recipe.json", content)) < 400


@pytest.mark.parametrize(
    "change",
    [
        f"{'a.' * 1000}a=1",
        f"steps={'9' * 5000}",
        f"seed={'9' * 300}",
        f"steps={'[' * 5000}",
        "epochs=inf",
        f"optimizer.learning_rate={'x' * 5000}",
    ],
    ids=["dots", "digits", "number", "brackets", "infinite", "text"],
)
def test_so_is_a_change(tmp_path, change):
    (tmp_path / "run.toml").write_text(MINIMAL)
    with pytest.raises(UsageError) as caught:
        Recipe.load(tmp_path / "run.toml", [change])
    assert len(str(caught.value)) < 400


@given(key=KEYS, value=VALUES)
def test_any_value_of_any_key_is_taken_or_refused_in_words(tmp_path_factory, key, value):
    path = tmp_path_factory.getbasetemp() / "fuzzed.json"
    content = {"steps": 5, "data": {"sources": [{"source": "scenes:100"}]}}
    *sections, field = key.split(".")
    inner = content
    for section in sections:
        inner = inner.setdefault(section, {})
    inner[field] = value
    path.write_text(json.dumps(content))
    with contextlib.suppress(UsageError):
        Recipe.load(path)


@given(text=st.text(max_size=60), prefix=st.sampled_from(["", "steps = ", "[data]\n", MINIMAL]))
def test_any_text_is_a_recipe_or_refused_in_words(tmp_path_factory, text, prefix):
    path = tmp_path_factory.getbasetemp() / "fuzzed.toml"
    path.write_text(prefix + text, encoding="utf-8", errors="surrogatepass")
    with contextlib.suppress(UsageError):
        Recipe.load(path)
