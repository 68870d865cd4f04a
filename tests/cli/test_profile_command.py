import pytest
from tiny import tiny_recipe


def test_a_profile_is_printed_and_written_and_no_run_is_begun(lexel, here):
    (here / "tiny.json").write_text(tiny_recipe().model_dump_json(exclude_none=True))
    done = lexel("profile", "tiny.json", "--steps", 1)
    assert done.status == 0
    assert "tiny: 1 steps of 16 pairs" in done.out
    assert (here / "runs" / "tiny-profile" / "profile.txt").read_text() == done.out
    assert not (here / "runs" / "tiny").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "There is no nothing"),
        (["scenes:40", "-o", "."], "is not empty and holds no profile"),
        (["scenes:40", "--set=bach_size=2"], 'Did you mean "batch_size"?'),
    ],
)
def test_mistakes_are_refused_and_leave_nothing(refused, here, words, said):
    before = sorted(here.rglob("*"))
    assert said in refused("profile", *words)
    assert sorted(here.rglob("*")) == before
