"""Compiled blocks of Transformer towers for training, where there is a compiler.

Only blocks whose input has the same shape in every step are compiled: those of Vision Transformers, and of text towers
that see their padding. What a compiler makes for one shape does not depend on which others it has seen, so a run that
was cut off goes on with the same bits; and evaluation, whose shapes vary, runs the blocks as they are.
"""

from typing import Annotated, Literal

import torch
from pydantic import BeforeValidator
from torch import nn

from lexel.config import Config
from lexel.models.clip import CLIP
from lexel.models.text_transformer import TextTransformer
from lexel.models.vision_transformer import VisionTransformer
from lexel.progress import say


def _check(value: object) -> object:
    if value != "auto" and not isinstance(value, bool):
        raise ValueError('must be true, false or "auto"')
    return value


Compile = Annotated[Literal["auto"] | bool, BeforeValidator(_check)]


# Of blocks: two towers, five sizes of pictures and of what is left of them (`Ramp`), with gradients and without, and
# the last block by itself. Beyond torch's own limit a block would silently no longer be compiled.
SHAPES = 100


class EngineSettings(Config):
    """How a step is computed."""

    compile: Compile = "auto"  # the towers' blocks; auto: on a GPU
    checkpoint_activations: bool = False  # compute them twice instead of keeping them; changes memory and speed only


def compile_towers(clip: CLIP, wanted: Compile) -> tuple[bool, bool]:
    """Compile what is to be compiled, at the first step; whether that is the image tower, and the text tower.

    Their training passes then want the same number of rows in each step. Without a working compiler a line is said, and
    nothing is compiled.
    """
    device = clip.logit_scale.device
    of_images = isinstance(clip.image, VisionTransformer) and clip.image.training
    of_texts = isinstance(clip.text, TextTransformer) and clip.config.text.sees_padding and clip.text.training
    if wanted is False or (wanted == "auto" and device.type != "cuda"):
        return False, False
    if not (of_images or of_texts):
        if wanted is True:
            say("engine.compile: nothing is compiled, as neither tower is a Transformer whose input keeps its shape.")
        return False, False
    if (reason := _why_not(device)) is not None:
        say(f"The towers are not compiled, as there is no working compiler here ({reason}); training is a bit slower.")
        return False, False
    torch._dynamo.config.recompile_limit = max(SHAPES, torch._dynamo.config.recompile_limit)
    for tower, compiled in ((clip.image, of_images), (clip.text, of_texts)):
        if compiled:
            assert isinstance(tower, VisionTransformer | TextTransformer)
            tower.blocks.compile_training()
    return of_images, of_texts


def _why_not(device: torch.device) -> str | None:
    """What keeps torch.compile from working on `device`, in a few words; None: nothing."""
    probe = nn.GELU()
    try:
        torch.compile(probe)(torch.zeros(64, device=device))
    except Exception as error:  # the compiler, its own compiler, its linker and the driver each have their own kinds
        first_line = str(error).strip().partition("\n")[0]
        return f"{type(error).__name__}: {first_line[:100]}"
    return None
