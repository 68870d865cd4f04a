"""Compiled blocks of Transformer towers for training, where there is a compiler.

Only blocks whose input has the same shape in every step are compiled: those of Vision Transformers, and of text towers
that see their padding. The code compiled for one shape does not depend on the shapes seen before, so a run that was
cut off goes on with the same bits. Evaluation, whose shapes vary, runs the blocks uncompiled.
"""

from collections.abc import Mapping

import torch
from torch import nn

from lexel.config import AutoOrSwitch
from lexel.models.towers import Tower
from lexel.progress import say

# Of blocks: two towers, five sizes of pictures and five of what patch dropout leaves of them (`Ramp`), with gradients
# and without, and the last block on its own. Beyond torch's own limit a block would silently no longer be compiled.
SHAPES_COMPILED = 100


def compile_towers(towers: Mapping[str, Tower], wanted: AutoOrSwitch, device: torch.device) -> set[Tower]:
    """Let the towers that can be compiled be so at their first training pass; returns them.

    Their training passes then want the same number of rows in each step. Frozen towers are left as they are. Without a
    working compiler one line says so, and nothing is compiled.
    """
    if wanted is False or (wanted == "auto" and device.type != "cuda"):
        return set()
    chosen = {tower for tower in towers.values() if tower.can_compile and tower.training}
    if not chosen:
        if wanted is True:
            say("engine.compile: nothing is compiled, as no tower is a Transformer whose input keeps its shape.")
        return set()
    if (reason := _why_not(device)) is not None:
        say(f"The towers are not compiled, as there is no working compiler here ({reason}); training is a bit slower.")
        return set()
    torch._dynamo.config.recompile_limit = max(SHAPES_COMPILED, torch._dynamo.config.recompile_limit)
    for tower in chosen:
        tower.compile_training()
    return chosen


def _why_not(device: torch.device) -> str | None:
    """Why torch.compile does not work on `device`, in a few words; None: it works."""
    probe = nn.GELU()
    try:
        torch.compile(probe)(torch.zeros(64, device=device))
    except Exception as error:  # the compiler, its own compiler, its linker and the driver each have their own kinds
        first_line = str(error).strip().partition("\n")[0]
        return f"{type(error).__name__}: {first_line[:100]}"
    return None
