"""What `pip install lexel` takes, and that it is enough: a machine without torch uses an exported model.

    python benchmarks/installed_size.py [EXPORTED_MODEL]

Makes a virtual environment from the project's core dependencies, prints the size of each distribution in it, and there
classifies, ranks and embeds with the model folder (by itself a small one with fresh weights, exported here). Goal:
under 250 MB. Measured in the same way: rclip 242 MB, open_clip 1.07 GB, sentence-transformers 1.37 GB, clip-retrieval
1.97 GB, all with torch for the CPU where they use it.
"""

import subprocess
import sys
import tempfile
import venv
from importlib.metadata import Distribution, distributions
from pathlib import Path

import numpy as np
from PIL import Image

PROJECT = Path(__file__).resolve().parents[1]
INSTALLERS = {"pip", "setuptools"}  # every environment has them

USE = """
import sys, time
start = time.perf_counter()
import lexel
from importlib.util import find_spec
assert find_spec("torch") is None, "torch is here"
model, *pictures = sys.argv[1:]
encoder = lexel.load(model)
classified = lexel.ZeroShotClassifier(encoder, ["red", "blue"]).classify(pictures, top=1)
ranked = lexel.rank_captions(encoder, pictures[0], ["a red square", "a blue square"])
vectors = encoder.embed_images(pictures)
print(f"Without torch: {len(classified)} pictures classified, {len(ranked)} captions ranked, {vectors.shape} embedded, "
      f"{time.perf_counter() - start:.2f} s from start to end.")
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        model = Path(sys.argv[1]) if len(sys.argv) > 1 else export_small_model(home)
        python = make_environment(home / "venv")
        print_sizes(python)
        pictures = [save_picture(home / f"{colour}.jpg", colour) for colour in ("red", "blue", "green")]
        subprocess.run([python, "-c", USE, str(model), *map(str, pictures)], check=True, cwd=home)


def make_environment(path: Path) -> Path:
    """An environment with Lexel, not editable, and its core dependencies in the project's pinned versions."""
    venv.create(path, with_pip=True)
    python = path / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", str(PROJECT / "constraints.txt"), str(PROJECT)], check=True)
    return python


def print_sizes(python: Path) -> None:
    site = next((python.parents[1] / "lib").glob("python*/site-packages"))
    sizes = {
        f"{distribution.name} {distribution.version}": size_of(distribution)
        for distribution in distributions(path=[str(site)])
        if distribution.name not in INSTALLERS
    }
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"{size / 1e6:8.1f} MB  {name}")
    print(f"{sum(sizes.values()) / 1e6:8.1f} MB  in {len(sizes)} distributions (goal: under 250 MB)")


def size_of(distribution: Distribution) -> int:
    """Bytes of its files, the compiled ones included."""
    files = [Path(str(distribution.locate_file(file))) for file in distribution.files or ()]
    return sum(file.stat().st_size for file in files if file.is_file())


def export_small_model(home: Path) -> Path:
    """`lexel-xs` with fresh weights, exported; this needs torch and the extra `export` here, not there."""
    from lexel.architectures.zoo import architecture
    from lexel.checkpoints.model_folder.folder import open_model_folder, save_model_folder
    from lexel.checkpoints.onnx.export import export_onnx
    from lexel.images import Preprocessing
    from lexel.models.clip import CLIP, init_weights
    from lexel.tokenizer import Tokenizer

    config = architecture("lexel-xs")
    clip = CLIP(config)
    init_weights(clip, seed=0)
    tokenizer = Tokenizer.train(["a red square", "a blue square"] * 4, 300, config.text.context_length)
    text = config.text.model_copy(update={"end_of_text": tokenizer.end_of_text})
    save_model_folder(
        home / "model",
        name="fresh",
        architecture=config.model_copy(update={"text": text}),
        preprocessing=Preprocessing(image_size=config.image.image_size),
        weights={name: tensor.numpy() for name, tensor in clip.state_dict().items()},
        tokenizer=tokenizer,
        card="# fresh\n",
    )
    export_onnx(clip, open_model_folder(home / "model"), home / "exported")
    return home / "exported"


def save_picture(path: Path, colour: str) -> Path:
    Image.fromarray(np.full((480, 640, 3), Image.new("RGB", (1, 1), colour).getpixel((0, 0)), np.uint8)).save(path)
    return path


if __name__ == "__main__":
    main()
