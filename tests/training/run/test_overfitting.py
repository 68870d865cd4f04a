import pytest
from tiny import tiny_recipe

from lexel.training.run.overfitting import find_overfitting, overfitting_advice


def log(training: list[float | None], held_out: dict[int, float | None]) -> list[dict]:
    """Lines of a log; `held_out` has the loss after so many steps."""
    lines = []
    for step, loss in enumerate(training):
        lines.append({"step": step, "loss": loss})
        if step + 1 in held_out:
            lines.append({"step": step, "evaluation": {"loss": held_out[step + 1], "zero_shot/top1": 0.5}})
    return lines


FALLING = [4 - step / 50 for step in range(100)]


def test_a_held_out_loss_that_rises_while_the_training_loss_falls_is_found():
    found = find_overfitting(log(FALLING, {25: 3.5, 50: 3.0, 75: 3.4, 100: 4.0}))
    assert found is not None
    assert found.lowest_step == 50
    assert found.held_out == (3.0, 4.0)
    assert found.training == (pytest.approx(4 - 39.5 / 50), pytest.approx(4 - 89.5 / 50))


@pytest.mark.parametrize(
    ("training", "held_out"),
    [
        (FALLING, {50: 3.0, 100: 2.0}),
        (FALLING, {50: 3.0, 100: 3.1}),  # within the noise
        (FALLING[::-1], {50: 3.0, 100: 4.0}),  # both rise: the run diverges
        (FALLING, {100: 3.0}),
        (FALLING, {}),
        (FALLING, {50: 3.0, 100: None}),
        ([None] * 100, {50: 3.0, 100: 4.0}),
    ],
    ids=["falls", "rises a little", "both rise", "measured once", "never measured", "not finite", "no loss"],
)
def test_nothing_is_found_where_nothing_is_learned_by_heart(training, held_out):
    assert find_overfitting(log(training, held_out)) is None


@pytest.mark.parametrize(
    ("weights", "pairs", "advice"),
    [
        (None, 5_000, "--from ViT-B-32/openai"),
        (None, 5_000_000, "or on more pairs"),
        ("ViT-B-32/openai", 5_000, "optimizer.learning_rate"),
    ],
)
def test_the_advice_fits_the_run(weights, pairs, advice):
    found = find_overfitting(log(FALLING, {50: 3.0, 100: 4.0}))
    assert found is not None
    recipe = tiny_recipe(model={"weights": weights}, tokenizer={}) if weights else tiny_recipe()
    said = overfitting_advice(found, recipe, pairs)
    assert advice in said
    assert "--steps 50" in said
    assert f"its {pairs:,} pairs by heart" in said
