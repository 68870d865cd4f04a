"""What is measured on the held-out pairs: by their captions and labels or, where nothing is said of them, by the
teacher."""

from datetime import UTC, datetime

import numpy as np

from lexel.calibration import Calibration
from lexel.data.languages import texts_of
from lexel.data.pairs import Source
from lexel.errors import DataError
from lexel.evaluation.calibrate import calibrate
from lexel.evaluation.embedded_source import embed_source
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.metrics.metric import Metric, best_positions, bootstrap_mean, chance_recall, proportion
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.report import Report, SourceReport
from lexel.evaluation.report.sections import Numbers, TaskSection
from lexel.evaluation.source_fingerprint import source_fingerprint
from lexel.training.distributed.shared_encoder import SharedEncoder
from lexel.training.inputs.teacher import HeldOutByTeacher
from lexel.training.inputs.training_data import evaluation_templates
from lexel.training.run.held_out_loss import held_out_loss
from lexel.training.run_inputs import RunInputs, live_encoder
from lexel.version import __version__

WORDS = {
    "cosine": "Cosine with the teacher's embedding, on average",
    "recall@1": "The teacher's embedding of the same picture is the nearest",
}


def held_out_metrics(inputs: RunInputs, done: int, count: int) -> dict[str, float]:
    """Loss and metrics after `done` steps, on `count` of the pairs at most. All processes call it."""
    encoder = live_encoder(inputs, done)
    if inputs.held_out_by_teacher is not None:
        report = _beside_teacher(encoder, inputs.training_data.held_out, inputs.held_out_by_teacher)
        metrics = report.metrics()
        return {"loss": 1 - metrics["teacher/cosine"]} | metrics
    embedded = embed_source(encoder, inputs.training_data.few_held_out(count))
    templates, labels = evaluation_templates(inputs.recipe), inputs.training_data.labels()
    report = evaluate(encoder, embedded, templates=templates, labels=labels, languages=_languages(inputs))
    return {"loss": held_out_loss(encoder, embedded, inputs.recipe)} | report.metrics()


def held_out_report(inputs: RunInputs, encoder: SharedEncoder) -> tuple[Report, Calibration | DataError]:
    """The report on all of the pairs, and the calibration or why there is none. All processes call it."""
    held_out, templates = inputs.training_data.held_out, evaluation_templates(inputs.recipe)
    if inputs.held_out_by_teacher is not None:
        reason = DataError(
            "nothing is said of the held-out pictures. With captions: lexel models calibrate MODEL SOURCE"
        )
        return _beside_teacher(encoder, held_out, inputs.held_out_by_teacher), reason
    embedded = embed_source(encoder, held_out)
    labels, languages = inputs.training_data.labels(), _languages(inputs)
    report = evaluate(encoder, embedded, templates=templates, labels=labels, languages=languages)
    try:
        return report, calibrate(encoder, embedded, templates=templates)
    except DataError as error:  # the held-out pairs do not suffice
        return report, error


def _languages(inputs: RunInputs) -> list[str]:
    """Those that the run learns and that the held-out pairs have captions in."""
    wanted = inputs.recipe.languages.columns if inputs.recipe.languages else ()
    pairs = inputs.training_data.held_out.pairs
    return [language for language in wanted if any(texts_of(pair, language) for pair in pairs)]


def _beside_teacher(encoder: SharedEncoder, held_out: Source, known: HeldOutByTeacher) -> Report:
    """How near the embeddings of pictures are to the teacher's."""
    found, kept, _ = encoder.embed_readable([pair.picture for pair in held_out.pairs], what=None)
    rows, own, teachers = np.intersect1d(kept, known.rows, return_indices=True)
    section = teacher_section(found[own], known.vectors[teachers])
    return Report(
        model=encoder.name,
        fingerprint=encoder.fingerprint,
        created=datetime.now(UTC).replace(microsecond=0),
        lexel_version=__version__,
        sources=[
            SourceReport(
                name=held_out.name,
                split=held_out.split,
                fingerprint=source_fingerprint(held_out),
                images=len(rows),
                unreadable=len(held_out.pairs) - len(rows),
                notes=list(held_out.notes),
                warnings=[],
                sections=[section],
            )
        ],
    )


def teacher_section(vectors: np.ndarray, teachers: np.ndarray) -> TaskSection:
    """The embeddings (N, D) of pictures beside those that the teacher gives the same pictures."""
    cosines = (vectors * teachers).sum(1).astype(np.float64)
    everyone = np.arange(len(vectors))
    low, high = bootstrap_mean(cosines, everyone)
    cosine = Metric(value=float(cosines.mean()), low=low, high=high, chance=None, unit="number")
    hits = best_positions(vectors, teachers, everyone[:, None].tolist()).hits_at(1)
    first = proportion(hits, chance_recall(len(vectors), np.ones(len(vectors), np.int64), 1))
    return TaskSection(
        task="teacher",
        title="Beside the teacher",
        headline=(
            f"Embeddings of {len(vectors):,} pictures have a cosine of {cosine.value:.3f} with the teacher's. The "
            f"teacher's embedding of the same picture is the nearest {percent(first.value)} of the time "
            f"({interval(first)}); guessing would give {chance(first)}."
        ),
        facts=(f"{len(vectors):,} pictures",),
        blocks=[Numbers(title="Pictures", metrics={"cosine": cosine, "recall@1": first}, words=WORDS)],
        method=("Nothing is said of these pictures, so they are compared with what the teacher makes of them.",),
        headline_metrics=["cosine", "recall@1"],
    )
