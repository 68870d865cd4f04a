"""What CLIP is known to be bad at, on scenes that Lexel draws: counting, relations, binding, negation, size, distance.

No source plays a part: a probe shows the same twins to every model (see `drawn_twins`), and is measured once.
"""

from __future__ import annotations

from dataclasses import dataclass

from lexel.evaluation.pictures.drawn_twins import TWINS, draw_twins
from lexel.evaluation.published.probe_source import CaptionTwin, ProbeSource
from lexel.evaluation.report.sections import TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.tasks.compositional.caption_twins import twins_section


@dataclass(frozen=True, slots=True)
class DrawnProbe:
    """The task of one probe, which draws its own scenes."""

    name: str  # also that of its twins
    ability: str  # to end the sentence "Probe: …"
    twins: int = TWINS
    needs: str = "nothing, it draws its own scenes"

    def draw(self) -> ProbeSource:
        """The scenes, two for each twin."""
        pairs = draw_twins(self.name, self.twins).pairs
        twins = tuple(
            CaptionTwin((one.key, other.key), (one.captions[0], other.captions[0]))
            for one, other in zip(pairs[::2], pairs[1::2], strict=True)
        )
        return ProbeSource(f"probe:{self.name}", pairs, twins=twins)

    def fits(self, wanted: TaskRequest) -> bool:
        return isinstance(wanted.source, ProbeSource) and bool(wanted.source.twins)

    def measure(self, given: TaskInput) -> TaskSection:
        section = twins_section(given, self.name, f"Probe: {self.ability}", self.name.title())
        return section.with_pictures({pair.key: pair.picture for pair in given.embedded.pairs})


COUNTING = DrawnProbe("counting", "how many (counting)")
RELATIONS = DrawnProbe("relations", "left or right, above or below (spatial relations)")
BINDING = DrawnProbe("binding", "which colour belongs to which shape (attribute binding)")
NEGATION = DrawnProbe("negation", "what is not there (negation)")
SIZE = DrawnProbe("size", "which one is the large one (size)")
DISTANCE = DrawnProbe("distance", "near or far (distance)")
