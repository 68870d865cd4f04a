"""The end of a run: measured and calibrated on the held-out pairs, drawn as curves, written as a model folder."""

from lexel.calibration import Calibration
from lexel.checkpoints.folder import save_model_folder
from lexel.errors import DataError
from lexel.evaluation.calibration import calibrate
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.report import Report
from lexel.progress import say
from lexel.training.card import model_card
from lexel.training.curves import draw_curves
from lexel.training.log import read_log
from lexel.training.prepare import evaluation_templates
from lexel.training.setup import Setup


def finish(setup: Setup, seconds: float) -> Report:
    """Write report, curves, card and model folder after `seconds` of training, and return the report."""
    recipe, folder, clip = setup.recipe, setup.folder, setup.clip
    templates = evaluation_templates(recipe)
    material = setup.material
    report = evaluate(setup.encoder(setup.steps), material.held_out, templates=templates, labels=material.labels())
    report.save(folder.report)
    draw_curves(read_log(folder.path), folder.curves, title=recipe.name)
    # Last, because the model folder is what tells that a run has finished.
    save_model_folder(
        folder.model,
        name=recipe.name,
        architecture=clip.config,
        preprocessing=recipe.preprocessing(),
        weights={name: tensor.cpu().contiguous().numpy() for name, tensor in clip.state_dict().items()},
        tokenizer=setup.tokenizer,
        card=model_card(recipe, setup.material, clip, report, setup.steps, seconds),
        calibration=_calibration(setup, templates),
    )
    return report


def _calibration(setup: Setup, templates: str | tuple[str, ...]) -> Calibration | None:
    """What the model's cosines mean; None, with a word on it, where the held-out pairs do not tell."""
    try:
        return calibrate(setup.encoder(setup.steps), setup.material.held_out, templates=templates)
    except DataError as error:
        say(f"Not calibrated: {error}")
        return None
