"""The worked example of docs/generation.md does what the page says."""

from pathlib import Path

from PIL import Image
from tiny_towers import KINDS, build, write_folder

PAGE = Path(__file__).parents[3] / "docs" / "generation.md"


def test_the_page_s_own_generator_is_steered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "model", build(KINDS["clip"]))
    blocks = [part.split("```")[0] for part in PAGE.read_text(encoding="utf-8").split("```python\n")[1:]]
    (example,) = (block for block in blocks if "ModuleGenerator" in block)
    assert "runs/shop/model" in example
    names: dict[str, object] = {}
    exec(example.replace("runs/shop/model", "model").replace("steps=50", "steps=6"), names)
    assert Image.open("out.png").size == (64, 64)
    (score,) = names["made"].guiding.goals
    assert score.after > score.before
    assert not names["generator"].latent.equal(names["z"])
