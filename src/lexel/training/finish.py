"""The end of a run: measured and calibrated on the held-out pairs, drawn as curves, written as a model folder."""

import numpy as np

from lexel.calibration import Calibration
from lexel.checkpoints.model_folder.folder import save_model_folder
from lexel.checkpoints.model_folder.training_pictures import NO_PICTURES, TrainingPictures, union
from lexel.errors import DataError
from lexel.evaluation.calibrate import calibrate
from lexel.evaluation.embedded_source import embed_source
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.report import Report
from lexel.progress import say
from lexel.training.distributed.sharding import whole_weights
from lexel.training.inputs.training_data import evaluation_templates
from lexel.training.run.card import model_card
from lexel.training.run.curves import curve_blocks, draw_curves
from lexel.training.run.log import read_log
from lexel.training.run.overfitting import find_overfitting, overfitting_advice
from lexel.training.setup import Setup


def finish(setup: Setup, seconds: float, learned: TrainingPictures) -> Report:
    """Measure the model after `seconds` of training and write report, curves, card and model folder.

    `learned` are the pictures that the run has learned from; those of the weights that it began from come to them.
    """
    held_out, templates = setup.material.held_out, evaluation_templates(setup.recipe)
    learned = union([learned, setup.origin_pictures or NO_PICTURES])
    encoder = setup.encoder(setup.steps, learned)
    embedded = embed_source(encoder, held_out)
    report = evaluate(encoder, embedded, templates=templates, labels=setup.material.labels())
    try:
        calibration, reason = calibrate(encoder, embedded, templates=templates), None
    except DataError as error:  # the held-out pairs do not tell
        calibration, reason = None, error
    weights = whole_weights(setup.clip)
    if reason:
        say(f"Not calibrated: {reason}")
    lines = setup.world.once(lambda: read_log(setup.folder.path))
    overfitting = find_overfitting(lines)
    advice = overfitting_advice(overfitting, setup.recipe, setup.material.pairs) if overfitting else None
    if advice:
        say(advice)
    report = report.model_copy(update={"training": curve_blocks(lines, advice)})
    if setup.world.main:
        draw_curves(lines, setup.folder.curves, title=setup.recipe.name)
        _write(setup, report, weights, calibration, seconds, learned, advice)
    return report


def _write(
    setup: Setup,
    report: Report,
    weights: dict[str, np.ndarray],
    calibration: Calibration | None,
    seconds: float,
    learned: TrainingPictures,
    advice: str | None,
) -> None:
    recipe, folder, clip = setup.recipe, setup.folder, setup.clip
    report.save(folder.report)
    # Last, because the model folder is what tells that a run has finished.
    save_model_folder(
        folder.model,
        name=recipe.name,
        architecture=clip.config,
        preprocessing=setup.preprocessing,
        weights=weights,
        tokenizer=setup.tokenizer,
        card=model_card(recipe, setup.material, clip, setup.preprocessing, report, setup.steps, seconds, advice),
        calibration=calibration,
        training_pictures=learned,
    )
