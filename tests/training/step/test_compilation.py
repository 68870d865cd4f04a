import pytest
import torch
from made_up import batch, clip_of, furthest, gradients_for, gradients_of, recipe
from tiny_towers import KINDS, image, text

from lexel.architectures.config import CLIPConfig
from lexel.training.step import compilation

SMALL = CLIPConfig(embedding=24, image=image(depth=1, pooling="mean"), text=text(depth=1))


@pytest.fixture(autouse=True)
def _nothing_compiled_before():
    torch._dynamo.reset()


def compiled_step(rows: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Gradients of the last of several batches with so many pairs left of eight."""
    clip = clip_of(SMALL, torch.float32)
    names = list(clip.state_dict())
    gradients = gradients_for(clip, recipe(8, engine={"compile": True}))
    for left in rows:
        clip.zero_grad(set_to_none=True)
        gradients(batch(left), 0)
    assert list(clip.state_dict()) == names
    return gradients_of(clip)


def test_compiled_blocks_give_the_same_gradients_and_other_batches_before_do_not_change_a_bit():
    clip = clip_of(SMALL, torch.float32)
    gradients_for(clip, recipe(8, engine={"compile": False}))(batch(8), 0)
    first = compiled_step((8,))
    assert furthest(first, gradients_of(clip)) < 1e-5
    torch._dynamo.reset()
    after_others = compiled_step((5, 7, 8))
    assert all(torch.equal(first[name], after_others[name]) for name in first)


def test_evaluation_compiles_nothing():
    clip = clip_of(SMALL, torch.float32)
    gradients_for(clip, recipe(8, engine={"compile": True}))
    before = torch._dynamo.utils.counters["stats"]["calls_captured"]
    with torch.inference_mode():
        clip.eval().encode_image(torch.zeros(3, 3, 32, 32))
    assert torch._dynamo.utils.counters["stats"]["calls_captured"] == before


def test_without_a_compiler_one_line_says_so_and_training_goes_on(monkeypatch, capsys):
    def missing(*_: object, **__: object) -> None:
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nlong story")

    monkeypatch.setattr(torch, "compile", missing)
    clip = clip_of(SMALL, torch.float32)
    gradients_for(clip, recipe(4, engine={"compile": True}))(batch(4), 0)
    said = capsys.readouterr().err
    assert "no working compiler here (RuntimeError: InvalidCxxCompiler: No working C++ compiler found)" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("kind", "wanted"), [("clip", "auto"), ("clip", False), ("resnet", True), ("convnext", True)])
def test_nothing_is_compiled_on_a_cpu_by_itself_nor_where_there_are_no_blocks(monkeypatch, kind, wanted):
    monkeypatch.setattr(compilation, "_why_not", lambda _: pytest.fail("asked for a compiler"))
    assert compilation.compile_towers(clip_of(KINDS[kind]).towers, wanted, torch.device("cpu")) == set()
