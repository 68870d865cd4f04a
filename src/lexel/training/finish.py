"""The end of a run: measured and calibrated on the held-out pairs, drawn as curves, written as a model folder."""

import numpy as np

from lexel.calibration import Calibration
from lexel.checkpoints.model_folder.adapter import Adapter, AdapterFacts, merged
from lexel.checkpoints.model_folder.folder import save_model_folder
from lexel.checkpoints.model_folder.training_pictures import NO_PICTURES, TrainingPictures, union
from lexel.errors import DataError
from lexel.evaluation.report.report import Report
from lexel.evaluation.report.sections import Paragraph
from lexel.progress import say
from lexel.training.adaptation.lora import adapter_tensors
from lexel.training.distributed.sharding import whole_weights
from lexel.training.guards import Kept
from lexel.training.held_out import held_out_report
from lexel.training.run.card import model_card
from lexel.training.run.curves import curve_blocks, draw_curves
from lexel.training.run.log import read_log
from lexel.training.run.overfitting import find_overfitting, overfitting_advice
from lexel.training.run_inputs import RunInputs, live_encoder


def finish(inputs: RunInputs, seconds: float, learned: TrainingPictures, kept: Kept | None = None) -> Report:
    """Measure the model after `seconds` of training and write report, curves, card and model folder.

    `learned` are the pictures that the run has learned from; those of the weights that it began from come to them.
    `kept` says what it has kept of what those weights knew.
    """
    learned = union([learned, inputs.origin_pictures or NO_PICTURES])
    encoder = live_encoder(inputs, inputs.steps, learned)
    report, calibrated = held_out_report(inputs, encoder)
    calibration = None if isinstance(calibrated, DataError) else calibrated
    weights = whole_weights(inputs.clip)
    products = {name: weights.pop(name) for name in adapter_tensors(inputs.clip)}
    if calibration is None:
        say(f"Not calibrated: {calibrated}")
    lines = inputs.world.once(lambda: read_log(inputs.folder.path))
    overfitting = find_overfitting(lines)
    advice = overfitting_advice(overfitting, inputs.recipe, inputs.training_data.pairs) if overfitting else None
    if advice:
        say(advice)
    blocks = curve_blocks(lines, advice)
    if kept and kept.sentences():
        blocks.append(Paragraph(title="What it kept", text=" ".join(kept.sentences())))
        for sentence in kept.measured():
            say(sentence)
    report = report.model_copy(update={"training": blocks})
    if inputs.world.main:
        draw_curves(lines, inputs.folder.curves, title=inputs.recipe.name)
        if inputs.recipe.lora and inputs.base:
            name, fingerprint = inputs.base
            facts = AdapterFacts(
                name=inputs.recipe.name,
                base_name=name,
                base=fingerprint,
                scale=inputs.recipe.lora.scale,
                calibration=calibration,
            )
            Adapter(facts, products, learned).save(inputs.folder.adapter)
            weights = merged(weights, products, inputs.recipe.lora.scale)
        _write(inputs, report, weights, calibration, seconds, learned, advice, kept)
        start = inputs.recipe.model.weights
        if start and not (kept and kept.is_start):  # which there is nothing to mix with
            say(
                "Between what it knew and what it has learned there may be a better model: "
                f"lexel models blend {start} {inputs.folder.model} --own SOURCE --guard SOURCE -o MODEL"
            )
    return report


def _write(
    inputs: RunInputs,
    report: Report,
    weights: dict[str, np.ndarray],
    calibration: Calibration | None,
    seconds: float,
    learned: TrainingPictures,
    advice: str | None,
    kept: Kept | None,
) -> None:
    recipe, folder, clip = inputs.recipe, inputs.folder, inputs.clip
    report.save(folder.report)
    # Last, because a run counts as finished when it has a model folder.
    save_model_folder(
        folder.model,
        name=recipe.name,
        architecture=clip.config,
        preprocessing=inputs.preprocessing,
        weights=weights,
        tokenizer=inputs.tokenizer,
        card=model_card(
            recipe,
            inputs.training_data,
            clip,
            inputs.preprocessing,
            report,
            inputs.steps,
            seconds,
            advice,
            kept.table() if kept else "",
            inputs.teacher,
        ),
        calibration=calibration,
        training_pictures=learned,
    )
