"""What is to be drawn: sentences that come with Lexel, or coloured shapes for a model that knows nothing else."""

from importlib.resources import files

from lexel.data.scenes import all_labels
from lexel.encoder import Encoder
from lexel.evaluation.report.drawn_scenes import about_drawn_scenes

SHAPES_EVERY = 3  # of the hundred combinations of colour and shape, every third


def prompts_for(encoder: Encoder) -> tuple[str, ...]:
    """The prompts that this model can judge."""
    if about_drawn_scenes(encoder) is None:
        return everyday_prompts()
    return tuple(f"{'an' if label[0] in 'aeiou' else 'a'} {label}" for label in all_labels()[::SHAPES_EVERY])


def everyday_prompts() -> tuple[str, ...]:
    """The sentences in `prompts.txt`."""
    lines = (files("lexel.server.drawing") / "prompts.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))
