"""Prompts: all the sentences in which a label is shown, made of templates and of what the label is called."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lexel.data.captions import fill
from lexel.errors import UsageError
from lexel.evaluation.texts.templates import templates as read_templates
from lexel.evaluation.texts.wording import LabelWords, WordingLike, read_wording
from lexel.terminal import counted

SHOWN_LABELS = 3  # in a message


@dataclass(frozen=True, slots=True)
class Prompts:
    """Templates, and how to say the labels; a label without words of its own is said as it is."""

    templates: tuple[str, ...]
    wording: Mapping[str, LabelWords] = field(default_factory=dict)

    def of(self, label: str) -> list[str]:
        """The sentences for one label: each of its phrases in each template."""
        phrases = self.wording[label].phrases if label in self.wording else [label]
        return [fill(template, phrase) for phrase in phrases for template in self.templates]

    def of_all(self, labels: Iterable[str]) -> list[str]:
        """The sentences for all labels, label by label."""
        return [prompt for label in labels for prompt in self.of(label)]

    def with_templates(self, *templates: str) -> "Prompts":
        """The same words in other templates."""
        return replace(self, templates=templates)

    def unsaid(self, labels: Sequence[str]) -> list[str]:
        """Labels that the wording says nothing of. Raises UsageError where it says nothing of any of them."""
        missing = [label for label in labels if label not in self.wording]
        if not self.wording:
            return []
        if len(missing) == len(labels):
            mine, theirs = (", ".join(list(names)[:SHOWN_LABELS]) for names in (self.wording, labels))
            raise UsageError(
                f"The wording says nothing of any of the {counted(len(labels), 'label')} ({theirs} …): "
                f"it is about {mine} …"
            )
        return missing


PromptsLike = Prompts | str | Sequence[str]


def read_prompts(templates: PromptsLike, wording: WordingLike | None = None) -> Prompts:
    """The prompts meant by templates (see `templates`) and, where given, by a wording (see `read_wording`)."""
    if isinstance(templates, Prompts):
        return templates if wording is None else replace(templates, wording=read_wording(wording))
    return Prompts(read_templates(templates), {} if wording is None else read_wording(wording))
