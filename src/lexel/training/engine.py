"""How a step is computed: settings that change its speed, its memory and its rounding, but not what it computes."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from lexel.config import AutoOrSwitch, Config


def _number_of_pairs(value: object) -> object:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ValueError('must be a number of pairs, or "auto"')


MicroBatch = Annotated[Literal["auto"] | int, BeforeValidator(_number_of_pairs)]


class EngineSettings(Config):
    """How a step is computed."""

    compile: AutoOrSwitch = "auto"  # the towers' blocks (torch.compile); auto: on a GPU
    checkpoint_activations: bool = False  # compute activations twice to save memory; changes memory and speed only
