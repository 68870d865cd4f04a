"""Prompt sensitivity: how much zero-shot accuracy depends on the sentence in which a label is shown."""

from __future__ import annotations

import numpy as np

from lexel.evaluation.classifier import label_embeddings
from lexel.evaluation.metrics.metric import Metric, best_positions, proportion
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.phrases import interval, percent
from lexel.evaluation.report.sections import Examples, Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.terminal import counted

WORDS = {
    "best": "The best single prompt",
    "mean": "The mean of single prompts",
    "worst": "The worst single prompt",
    "ensemble": "All prompts together",
    "bare": "The bare label",
}


class PromptSensitivity:
    """The task: two labels or more, and images that carry them."""

    name = "prompts"
    needs = "two labels"

    def fits(self, wanted: TaskRequest) -> bool:
        return bool(wanted.source.labels) and len(wanted.candidates) >= 2

    def measure(self, given: TaskInput) -> TaskSection:
        embedded = given.embedded
        occurring = sorted({pair.label for pair in embedded.pairs if pair.label is not None})
        labels = list(given.labels) if given.labels is not None else occurring
        column = {label: i for i, label in enumerate(labels)}
        rows = np.array([row for row, pair in enumerate(embedded.pairs) if pair.label in column])
        relevant = [[column[str(embedded.pairs[row].label)]] for row in rows]

        def hits(templates: tuple[str, ...]) -> np.ndarray:
            vectors = label_embeddings(given.encoder, labels, given.prompts.with_templates(*templates), embedded)
            return best_positions(embedded.vectors[rows], vectors, relevant).hits_at(1)

        single = {template: hits((template,)) for template in given.templates}
        ordered = sorted(single, key=lambda template: -single[template].mean())
        found = {"ensemble": hits(given.templates), "best": single[ordered[0]], "worst": single[ordered[-1]]}
        found |= {"mean": np.mean(list(single.values()), axis=0), "bare": hits(("{}",))}
        metrics = {name: proportion(found[name], 1 / len(labels)) for name in WORDS}
        spread = metrics["best"].value - metrics["worst"].value
        section = TaskSection(
            task=self.name,
            title="How much the prompt matters",
            headline=(
                f"Between the best and the worst of {len(single):,} prompts lie {100 * spread:.1f} percentage points; "
                f"all together give {percent(metrics['ensemble'].value)} ({interval(metrics['ensemble'])}), the bare "
                f"label {percent(metrics['bare'].value)}."
            ),
            blocks=[
                Numbers(title=f"Of {counted(len(rows), 'image')}", metrics=metrics, words=WORDS),
                Examples(
                    title="Prompt by prompt",
                    columns=["prompt", "right", "95 % interval"],
                    rows=[_row(template, proportion(single[template], 1 / len(labels))) for template in ordered],
                ),
            ],
            method=(
                "The best and the worst prompt are chosen on these images, so their difference is an upper bound.",
            ),
            templates=given.templates,
            headline_metrics=["ensemble", "bare"],
        )
        return section.with_outcomes({name: Outcome(found[name], rows) for name in ("ensemble", "mean", "bare")})


def _row(template: str, metric: Metric) -> list[str]:
    return [template, percent(metric.value), interval(metric)]
