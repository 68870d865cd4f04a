"""The base of every configuration: frozen, strict about keys, owned by the component that it configures."""

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Immutable settings of one component; an unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
