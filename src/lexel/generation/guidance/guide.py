"""Steering a generator: whatever makes pictures differentiably is moved until a model sees in them what is wanted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from pydantic import ValidationError

from lexel.encoder import Encoder
from lexel.encoder_inputs import ImageLike
from lexel.errors import UsageError, did_you_mean
from lexel.generation.guidance.choose import make_generator
from lexel.generation.guidance.descent import GuidanceSettings, descend
from lexel.generation.guidance.generator import Generator, Scalable, checked_start
from lexel.generation.guidance.goals import Wish
from lexel.generation.guidance.loss import GuidanceLoss, differentiable, frozen
from lexel.generation.guidance.output import write_film, write_picture
from lexel.generation.guidance.scores import ModelScores, Panel, check_judge, default_distractors

FRAMES = 40  # of a film, at most, besides the start
FRAME_SIDE = 256  # pixels, of a film's frames
DRAWN_SIDE = 512  # pixels, of what can be drawn at any size
SEEDS = 2**63
USUAL_PULL = 0.1  # towards a start that somebody chose


@dataclass(frozen=True, slots=True)
class Guided:
    """What guidance has made."""

    pictures: list[Image.Image]  # RGB
    best: int  # which of them fits best
    generator: Generator
    title: str  # what was asked for
    guiding: ModelScores  # of the model that steered: flattered
    judge: ModelScores | None  # of the one that did not
    steps: int  # done; fewer than asked for where it was stopped
    stopped: bool  # by Ctrl-C
    seconds: float
    frames: list[Image.Image]  # of the film, the start first; empty unless it was asked for

    @property
    def picture(self) -> Image.Image:
        """The picture that fits best; most generators make only one."""
        return self.pictures[self.best]

    def save(self, path: str | Path) -> None:
        """Write the picture: .png, .webp or .jpg; strokes also as .svg. Raises OSError or UsageError."""
        write_picture(Path(path), self.picture, self.generator, self.title)

    def save_film(self, path: str | Path) -> None:
        """Write the film as a GIF. Raises OSError, or UsageError where none was asked for."""
        if not self.frames:
            raise UsageError("No film was kept. Ask for it: lexel.guide(..., film=True).")
        write_film(Path(path), self.frames)

    def as_json(self) -> dict[str, Any]:
        """All but the pictures."""
        return {
            "wanted": self.title,
            "steps": self.steps,
            "stopped": self.stopped,
            "seconds": round(self.seconds, 1),
            "guiding": self.guiding.as_json(),
            "judge": None if self.judge is None else self.judge.as_json(),
        }


def guide(
    encoder: Encoder,
    text: str | None = None,
    *,
    generator: str | Generator = "strokes",
    like: ImageLike | None = None,
    change: tuple[str, str] | None = None,
    start: ImageLike | None = None,
    judge: Encoder | None = None,
    steps: int = 300,
    seed: int = 0,
    size: int | None = None,
    strokes: int = 64,
    painter: str | Path | None = None,
    distractors: Sequence[str] | None = None,
    film: bool = False,
    **settings: Any,
) -> Guided:
    """Steer a generator until the model sees in its pictures what is wanted: a text, a picture to be like, a change.

    `generator` is "strokes" (CLIPDraw, Frans et al. 2021), "pixels" (in a Fourier basis), "painter" (the decoder of
    `lexel generate`, in the folder `painter`), or one of your own: `ModuleGenerator(module, latent)` makes one of any
    torch.nn.Module. Several wishes count equally. `change` is a pair of texts, from and to (the directional loss of
    StyleGAN-NADA, Gal et al. 2022), best with a picture to `start` from.

    `judge` is another model, trained independently, that says whether the result shows it: the guiding model's own
    word is flattered. Both rank the text among `distractors`. `seed` makes all that is random; `size` and `strokes` are
    those of the named generators. Further names are fields of `GuidanceSettings`: views, crop, perspective, noise,
    pull, learning_rate. Ctrl-C ends the steps, and what is there so far is returned.

    Raises UsageError for a wish or generator that cannot be used, or a model without gradients: exported, or bfloat16.

    Example:
        made = lexel.guide(encoder, "a lighthouse at night", judge=lexel.load("runs/other/model"))
        made.save("lighthouse.svg")
        made.judge.goals[0].rank                                    # 1 where the judge agrees
    """
    began = time.monotonic()
    wish = Wish(text, like, change)
    wish.check()
    if not 0 <= seed < SEEDS:
        raise UsageError(f"The seed is {seed}; seeds are from 0 to {SEEDS - 1:,}.")
    clip = differentiable(encoder)
    chosen = _settings(steps, settings, pull=0.0 if start is None else USUAL_PULL)
    if judge is not None:
        check_judge(judge, encoder)
    texts = default_distractors(encoder) if distractors is None else distractors
    panel = Panel(wish, encoder, texts)
    jury = None if judge is None else Panel(wish, judge, texts)
    if isinstance(generator, str):
        generator = make_generator(
            generator,
            encoder,
            size=size,
            strokes=strokes,
            painter=painter,
            text=text or (change[0] if change else None),
            start=start,
            seed=seed,
        )
    elif start is not None or painter is not None:
        raise UsageError(
            "A generator of your own begins with its own latent; it takes no painter and no picture to start from."
        )

    first = checked_start(generator)
    side = max(one.preprocessing.image_size for one in (encoder, judge) if one is not None)
    before = pictures_of(generator, side)
    frames = _Frames(generator, chosen.steps) if film else None
    loss = GuidanceLoss(encoder, panel.goals, chosen, seed, first)
    with frozen(clip):
        done = descend(generator, loss, chosen, "Steering", frames.keep if frames else None)
    after = pictures_of(generator, side)
    best = panel.best(after)
    return Guided(
        pictures=pictures_of(generator, max(side, DRAWN_SIDE)),
        best=best,
        generator=generator,
        title=wish.in_words(),
        guiding=panel.judge(before[best], after[best]),
        judge=None if jury is None else jury.judge(before[best], after[best]),
        steps=done,
        stopped=done < chosen.steps,
        seconds=time.monotonic() - began,
        frames=frames.kept if frames else [],
    )


def pictures_of(generator: Generator, side: int) -> list[Image.Image]:
    """The generator's pictures as they are or, where it draws at any size, at `side` pixels."""
    with torch.no_grad():
        images = generator.render(side) if isinstance(generator, Scalable) else generator.images()
    arrays = (images.detach().float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(array) for array in arrays]


class _Frames:
    """A film of the generator's first picture: the start, and up to FRAMES pictures at equal distances."""

    def __init__(self, generator: Generator, steps: int) -> None:
        self.generator, self.steps = generator, steps
        self.kept = [self._frame()]

    def keep(self, done: int) -> None:
        """Keep the picture after this many steps, where one is due."""
        if done * FRAMES // self.steps > (done - 1) * FRAMES // self.steps:
            self.kept.append(self._frame())

    def _frame(self) -> Image.Image:
        picture = pictures_of(self.generator, FRAME_SIDE)[0]
        return picture.resize((FRAME_SIDE, FRAME_SIDE), Image.Resampling.BICUBIC)


def _settings(steps: int, others: dict[str, Any], pull: float) -> GuidanceSettings:
    try:
        return GuidanceSettings.model_validate({"pull": pull, **others, "steps": steps})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = GuidanceSettings.model_fields
            raise UsageError(
                f'There is no setting "{name}".{did_you_mean(name, known)}\n  There are: {", ".join(known)}.'
            ) from None
        raise UsageError(f"{name} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}.") from None
