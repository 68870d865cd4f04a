"""The way in which a starting model is adapted."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from lexel.config import Config

Side = Literal["image", "text"]
REMEMBER = {"full": 10.0}  # the weight of remembering, where the recipe says none
Product = Literal["attention", "mlp", "convolution"]


class GuardSettings(Config):
    """What must not be forgotten: measured before, during (as often as `evaluation.times` says) and after the run."""

    sources: tuple[str, ...] = ()  # labelled or captioned pictures that are not learned from, such as everyday/test
    most_lost: float = Field(default=2.0, ge=0)  # points, of a hundred: where one loses more the run stops
    templates: str | tuple[str, ...] | None = None  # that labels are shown in; default: those of [evaluation]


class AdaptSettings(Config):
    """How the model that `model.weights` names is adapted. The keys from `rank` on are for LoRA."""

    kind: Literal["full", "locked", "lora"] = "full"
    # full: every weight learns, and embeddings are kept near those of the starting model; locked: all but the image
    # tower; lora: low-rank products beside the weights (Hu et al. 2021)
    remember: float | None = Field(
        default=None, ge=0
    )  # weight of the distance of embeddings from those of the starting model; default: 10 for full, else 0, none
    remember_on: str | None = None  # a source whose embeddings are kept too, with or without labels or captions
    rank: PositiveInt = 8  # of each product
    scale: float = Field(default=1.0, gt=0)  # factor of each product
    dropout: float = Field(default=0.0, ge=0, lt=1)  # share of a product's inputs that a step leaves out
    towers: tuple[Side, ...] = Field(default=("image", "text"), min_length=1)  # that learn; another one is frozen
    products: tuple[Product, ...] = Field(
        default=("attention", "mlp", "convolution"), min_length=1
    )  # of each block that are adapted, where a tower has them
    blocks: PositiveInt | None = None  # so many of each tower, from the top; default: all

    @model_validator(mode="after")
    def _says_nothing_in_vain(self) -> Self:
        # A resolved recipe states its defaults too, so only other values are in vain.
        changed = [name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default]
        of_lora = [name for name in changed if name not in ("kind", "remember", "remember_on")]
        if self.kind != "lora" and of_lora:
            raise ValueError(f'{of_lora[0]} is for LoRA: add kind = "lora", or leave {of_lora[0]} out')
        if self.kind == "locked" and (self.remember or self.remember_on):
            raise ValueError("a locked tower forgets nothing: leave remember and remember_on out, or adapt another way")
        if self.remember_on and not self.remember_weight:
            raise ValueError("remember_on: with a weight of 0 nothing is remembered: set remember too, as 10")
        return self

    @property
    def remember_weight(self) -> float:
        """The weight of the distance from the starting model, the kind's own where none is said."""
        return REMEMBER.get(self.kind, 0.0) if self.remember is None else self.remember

    def frozen(self) -> dict[str, Any]:
        """The `[freeze]` settings that the kind of adaptation implies."""
        if self.kind == "locked":
            return {"image": True}
        if self.kind == "lora" and set(self.towers) != {"image", "text"}:
            return {"text" if "image" in self.towers else "image": True}
        return {}
