"""Text towers of the library transformers, under OpenCLIP's rules of pooling and projection. Needs the extra `hf`."""

from typing import Any

import torch
from torch import Tensor, nn

from lexel.architectures.config import HuggingFaceTextConfig
from lexel.errors import ModelError
from lexel.extras import missing_library
from lexel.models.outside import drawing_from, fill_buffers, is_on_meta
from lexel.models.towers import Tower


class HuggingFaceText(Tower):
    """Text tower: ids (B, T), filled with `pad_id` → embeddings (B, E), not of unit length.

    The padding is masked, so rows may be cut to the longest caption. Raises UsageError without transformers.
    """

    is_of_another_library = True

    def __init__(self, config: HuggingFaceTextConfig, embedding: int) -> None:
        super().__init__(config.kind)
        self.config = config
        self.transformer = build_transformer(config)
        width = self.transformer.config.hidden_size
        hidden = (width + embedding) // 2
        match config.projection:
            case "none":
                if width != embedding:
                    raise ModelError(f"Without a projection the text's width {width} must be {embedding}.")
                self.projection = nn.Identity()
            case "mlp":
                self.projection = nn.Sequential(
                    nn.Linear(width, hidden, bias=False), nn.GELU(), nn.Linear(hidden, embedding, bias=False)
                )
            case kind:
                self.projection = nn.Linear(width, embedding, bias=kind == "linear_bias")

    @property
    def name(self) -> str:
        return str(self.config.model.get("model_type"))

    def blocks_in_order(self) -> list[nn.Module]:
        """The list of as many modules as there are layers; [] where layers share their weights, as in ALBERT."""
        depth = self.transformer.config.num_hidden_layers
        lists = (part for part in self.transformer.modules() if isinstance(part, nn.ModuleList))
        return list(next((part for part in lists if len(part) == depth), []))

    def forward(self, ids: Tensor) -> Tensor:  # (B, T) → (B, E)
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= self.config.context_length:
            raise ValueError(
                f"ids must be (B, T) with T from 1 to {self.config.context_length}, "
                f"but their shape is {tuple(ids.shape)}"
            )
        is_real = ids != self.config.pad_id  # (B, T)
        output = self.transformer(input_ids=ids, attention_mask=is_real.long())
        return self.projection(self._pool(output, is_real))

    def _pool(self, output: Any, is_real: Tensor) -> Tensor:
        match self.config.pooling:
            case "pooler":
                return output.pooler_output
            case "class":
                return output.last_hidden_state[:, 0]
            case "mean":
                return mean_of(output.last_hidden_state, is_real)
            case "max":
                return output.last_hidden_state.masked_fill(~is_real[..., None], -torch.inf).amax(dim=1)

    @torch.no_grad()
    def draw_transformer(self, seed: int) -> None:
        """Fresh weights for the transformer, as transformers draws them."""
        with drawing_from(seed):
            self.transformer.load_state_dict(build_transformer(self.config).state_dict())


def mean_of(tokens: Tensor, is_real: Tensor) -> Tensor:
    """The mean of each row's real tokens. (B, T, D), (B, T) → (B, D)."""
    weights = is_real.to(tokens.dtype)[..., None]
    return (tokens * weights).sum(dim=1) / weights.sum(dim=1)


def build_transformer(config: HuggingFaceTextConfig) -> Any:
    """The encoder that `config.model` describes, in evaluation's settings: no head, no decoder."""
    try:
        from transformers import AutoConfig, AutoModel
    except ImportError as error:
        kind = config.model.get("model_type")
        raise missing_library(f'The text tower "{kind}"', "transformers", error) from None
    settings = {key: value for key, value in config.model.items() if key not in {"model_type", "dtype", "torch_dtype"}}
    model_type = str(config.model["model_type"])
    try:
        theirs = AutoConfig.for_model(model_type, **settings)
        pooler = {} if theirs.is_encoder_decoder else {"add_pooling_layer": config.pooling == "pooler"}
        model = AutoModel.from_config(theirs, **pooler)
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f'transformers cannot build the text tower "{model_type}": {reason}') from None
    model = model.get_encoder() if theirs.is_encoder_decoder else model
    if is_on_meta():
        fill_buffers(model, lambda module: module.apply(model._init_weights), "transformers")
    return model
