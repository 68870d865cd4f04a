"""Prompt templates: the sentences in which a label is shown to the text tower.

A label alone ("crane") is unlike anything that a model read in training; a sentence around it ("a photo of a crane.")
is. A set of varied sentences is averaged, which is worth a few points of accuracy.
"""

from collections.abc import Sequence

from lexel.errors import UsageError, did_you_mean

TEMPLATES: dict[str, tuple[str, ...]] = {
    "plain": ("{}",),
    "photo": (
        "a photo of a {}.",
        "a close-up of a {}.",
        "a blurry snapshot of a {}.",
        "a bright, sharp picture of the {}.",
        "a {} seen from some distance.",
        "one of many {} pictures.",
        "a cropped photo showing part of a {}.",
        "there is a {} in this image.",
    ),
    "product": (
        "{}",
        "a product photo of {}.",
        "{} on a plain white background.",
        "a shop's picture of {}.",
        "{}, front view.",
        "an advertisement for {}.",
    ),
    "aerial": (
        "an aerial photo of {}.",
        "a satellite image of {}.",
        "{} seen from above.",
        "a bird's-eye view of {}.",
        "land with {}, photographed from a plane.",
        "a map-like picture showing {}.",
    ),
    "drawing": (
        "a drawing of a {}.",
        "a quick pencil sketch of a {}.",
        "a line drawing of the {}.",
        "a {} doodled by hand.",
        "a simple cartoon of a {}.",
        "black strokes in the shape of a {}.",
    ),
    "emoji": (
        "an emoji of {}.",
        "the {} emoji.",
        "a small colourful icon of {}.",
        "{}, as drawn in a chat message.",
    ),
    "icon": (
        "an icon of {}.",
        "the {} symbol.",
        "a flat pictogram of {}.",
        "a small sign that stands for {}.",
    ),
    "scene": (
        "a {}",
        "a {}.",
        "there is a {}",
        "a picture of a {}",
    ),
}


def templates(name_or_templates: str | Sequence[str]) -> tuple[str, ...]:
    """The templates meant by a set's name ("photo"), by one template with {} in it, or by several."""
    if isinstance(name_or_templates, str):
        if name_or_templates in TEMPLATES:
            return TEMPLATES[name_or_templates]
        if "{}" not in name_or_templates:
            raise UsageError(
                f'"{name_or_templates}" is neither a set of prompt templates nor a template with {{}} for the label.'
                f"{did_you_mean(name_or_templates, TEMPLATES)}\n  The sets are: {', '.join(TEMPLATES)}."
            )
        return (name_or_templates,)
    if not name_or_templates:
        raise UsageError('No prompt template was given. Use "{}" for the bare label.')
    for template in name_or_templates:
        if "{}" not in template:
            raise UsageError(f'The prompt template "{template}" has no {{}} where the label should go.')
    return tuple(name_or_templates)
