"""The base of every configuration: frozen, strict about keys, owned by the component that it configures."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Config(BaseModel):
    """Immutable settings of one component; an unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _auto_or_switch(value: object) -> object:
    if value == "auto" or isinstance(value, bool):
        return value
    raise ValueError('must be true, false or "auto"')


AutoOrSwitch = Annotated[Literal["auto"] | bool, BeforeValidator(_auto_or_switch)]
