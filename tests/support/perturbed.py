"""Model folders whose weights are another's with something added: what fine-tuning leaves, in no time."""

from pathlib import Path

import numpy as np

from lexel.checkpoints.model_folder.folder import ModelFolder, open_model_folder, save_model_folder


def perturbed(model: Path, out: Path, *, seed: int = 0, size: float = 0.1, **changes) -> ModelFolder:
    """Each tensor plus noise of `size` times its own spread. `changes` replace arguments of save_model_folder."""
    folder, random = open_model_folder(model), np.random.default_rng(seed)
    weights = {
        name: (array + size * array.std() * random.normal(size=array.shape)).astype(array.dtype)
        for name, array in folder.weights().items()
    }
    content = {
        "name": out.name,
        "architecture": folder.manifest.architecture,
        "preprocessing": folder.manifest.preprocessing,
        "weights": weights,
        "tokenizer": folder.tokenizer(),
        "card": "",
        "training_pictures": folder.training_pictures(),
    }
    save_model_folder(out, **(content | changes))
    return open_model_folder(out)
