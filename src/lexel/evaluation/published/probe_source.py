"""Images with captions of which one is true: the source of probes, ours and published ones."""

from __future__ import annotations

from dataclasses import dataclass

from lexel.data.pairs import Source


@dataclass(frozen=True, slots=True)
class CaptionChoice:
    """One image, its true caption, and one or more that are wrong."""

    key: str  # of the image's pair
    caption: str
    wrong: tuple[str, ...]
    kind: str  # what the captions differ in, such as "swap_att"
    detail: str = ""  # the kind's own kinds, over which published tables average, such as a relation's name


@dataclass(frozen=True, slots=True)
class CaptionTwin:
    """Two images and two captions, each true of one image alone."""

    keys: tuple[str, str]
    captions: tuple[str, str]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ProbeSource(Source):
    """The images of a probe, each once, and what is asked of them. Its pairs need neither captions nor labels."""

    choices: tuple[CaptionChoice, ...] = ()
    twins: tuple[CaptionTwin, ...] = ()
    templates: str | None = None  # the family of prompts that fits its labels, where it has any
