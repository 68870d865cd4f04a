"""The list of tasks, in the order of the report. A new task is added here and nowhere else."""

from collections.abc import Sequence

from lexel.errors import UsageError, did_you_mean
from lexel.evaluation.tasks.base import Task
from lexel.evaluation.tasks.compositional.caption_choices import CaptionChoices
from lexel.evaluation.tasks.compositional.caption_twins import CaptionTwins
from lexel.evaluation.tasks.compositional.drawn_probes import BINDING, COUNTING, DISTANCE, NEGATION, RELATIONS, SIZE
from lexel.evaluation.tasks.compositional.handwriting import Handwriting
from lexel.evaluation.tasks.compositional.word_order import WordOrder
from lexel.evaluation.tasks.finding.published_retrieval import PublishedRetrieval
from lexel.evaluation.tasks.finding.retrieval import Retrieval
from lexel.evaluation.tasks.geometry import Geometry
from lexel.evaluation.tasks.learning.linear_probe import LinearProbe
from lexel.evaluation.tasks.learning.nearest_neighbours import NearestNeighbours
from lexel.evaluation.tasks.naming.confidence import Confidence
from lexel.evaluation.tasks.naming.hierarchy import Hierarchy
from lexel.evaluation.tasks.naming.multi_label import MultiLabel
from lexel.evaluation.tasks.naming.prompt_sensitivity import PromptSensitivity
from lexel.evaluation.tasks.naming.robustness import Robustness
from lexel.evaluation.tasks.naming.typography import Typography
from lexel.evaluation.tasks.naming.zero_shot import ZeroShot

TASKS: tuple[Task, ...] = (
    ZeroShot(),
    MultiLabel(),
    Hierarchy(),
    Retrieval(),
    PublishedRetrieval(),
    LinearProbe(),
    NearestNeighbours(),
    Confidence(),
    PromptSensitivity(),
    Geometry(),
    Robustness(),
    Typography(),
    CaptionChoices(),
    CaptionTwins(),
    WordOrder(),
    COUNTING,
    RELATIONS,
    BINDING,
    NEGATION,
    SIZE,
    DISTANCE,
    Handwriting(),
)
PROBE_TASKS = ("choices", "twins")  # that only a published probe has what it takes for
DEFAULT_TASKS = ("zero_shot", "retrieval", *PROBE_TASKS)


def chosen_tasks(wanted: Sequence[str | Task] | None) -> list[Task]:
    """The tasks that are meant, by name or as objects. Raises UsageError for an unknown name."""
    by_name = {task.name: task for task in TASKS}
    if wanted is not None and not wanted:
        raise UsageError(f"No task was given. The tasks are: {', '.join(by_name)}.")
    chosen: dict[str, Task] = {}
    for item in DEFAULT_TASKS if wanted is None else wanted:
        if isinstance(item, str) and item not in by_name:
            raise UsageError(
                f'There is no task "{item}".{did_you_mean(item, by_name)}\n  The tasks are: {", ".join(by_name)}.'
            )
        task = by_name[item] if isinstance(item, str) else item
        chosen[task.name] = task
    return list(chosen.values())
