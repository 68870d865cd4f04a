"""The end of a run: measured on all held-out pairs, written as a model folder with its card, drawn as curves."""

import torch

from lexel.checkpoints.folder import save_model_folder
from lexel.encoder import Encoder
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.report import Report
from lexel.models.clip import CLIP
from lexel.runtimes.torch import TorchRuntime
from lexel.tokenizer import Tokenizer
from lexel.training.card import model_card
from lexel.training.curves import draw_curves
from lexel.training.log import read_log
from lexel.training.prepare import Material, evaluation_templates
from lexel.training.recipe import Recipe
from lexel.training.run import RunFolder


def live_encoder(recipe: Recipe, clip: CLIP, tokenizer: Tokenizer, step: int) -> Encoder:
    """An Encoder around towers that are being trained."""
    fingerprint = f"{recipe.name} after step {step}"
    return Encoder(TorchRuntime(clip), tokenizer, recipe.preprocessing(), name=recipe.name, fingerprint=fingerprint)


def finish(
    recipe: Recipe, folder: RunFolder, material: Material, tokenizer: Tokenizer, clip: CLIP, steps: int, seconds: float
) -> Report:
    """Write report, card, model folder and curves, and return the report."""
    encoder = live_encoder(recipe, clip, tokenizer, steps)
    report = evaluate(encoder, material.held_out, templates=evaluation_templates(recipe))
    report.save(folder.report)
    save_model_folder(
        folder.model,
        name=recipe.name,
        architecture=clip.config,
        preprocessing=recipe.preprocessing(),
        weights={name: tensor.to("cpu", torch.float32).numpy() for name, tensor in clip.state_dict().items()},
        tokenizer=tokenizer,
        card=model_card(recipe, material, clip, report, steps, seconds),
    )
    draw_curves(read_log(folder.path), folder.curves, title=recipe.name)
    return report
