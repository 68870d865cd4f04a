"""Image towers of the library timm, under OpenCLIP's rules of pooling and projection. Needs the extra `timm`."""

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from lexel.architectures.config import TimmConfig
from lexel.errors import UsageError
from lexel.extras import missing_library
from lexel.models.layers.positions import grid_of
from lexel.models.outside import drawing_from, fill_buffers, is_on_meta
from lexel.models.towers import Tower, TowerLayers


class TimmTower(Tower):
    """Image tower: normalised pixels (B, 3, S, S) → embeddings (B, E), not of unit length.

    Raises UsageError without timm, or for a model that this timm does not have.
    """

    is_of_another_library = True

    def __init__(self, config: TimmConfig, embedding: int) -> None:
        super().__init__(config.kind)
        self.config = config
        self.embedding = embedding
        self.trunk = build_trunk(config, embedding)
        width = self.trunk.num_features
        hidden = 2 * embedding
        match config.projection:
            case "linear" | "linear_bias":
                self.projection = nn.Linear(width, embedding, bias=config.projection == "linear_bias")
            case "mlp" | "mlp_bias":
                last = nn.Linear(hidden, embedding, bias=config.projection == "mlp_bias")
                self.projection = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), last)
            case _:
                self.projection = nn.Identity()

    @property
    def name(self) -> str:
        return self.config.model

    def blocks_in_order(self) -> list[nn.Module]:
        """Those of timm's Vision Transformers; its other models do not say which their blocks are."""
        blocks = getattr(self.trunk, "blocks", None)
        return list(blocks) if isinstance(blocks, nn.Sequential | nn.ModuleList) else []

    def parameter_layers(self) -> TowerLayers | None:
        """As timm groups a model's layers for its own layer decay; the projection, where it is ours, is above them."""
        from timm.models import group_parameters  # pyright: ignore[reportMissingImports]

        if not hasattr(self.trunk, "group_matcher"):
            return None
        groups = group_parameters(self.trunk, self.trunk.group_matcher(coarse=False), reverse=True)
        layers: dict[str, int] = {f"trunk.{name}": layer for name, layer in groups.items()}
        top = max(layers.values()) + int(self.config.projection != "trunk")
        return TowerLayers({name: layers.get(name, top) for name, _ in self.named_parameters()}, top)

    def forward(self, pixels: Tensor) -> Tensor:  # (B, 3, S, S) → (B, E)
        grid_of(pixels, 1)
        return self.projection(self.trunk(pixels))

    @torch.no_grad()
    def draw_trunk(self, seed: int) -> None:
        """Fresh weights for the trunk, as timm draws them."""
        with drawing_from(seed):
            self.trunk.load_state_dict(build_trunk(self.config, self.embedding).state_dict())


def build_trunk(config: TimmConfig, embedding: int) -> Any:
    """timm's model with its pooling, and with its classifier only where that is the projection."""
    try:
        timm: Any = import_module(
            "timm"
        )  # by name: in this module type checkers take `import timm` for the module itself
    except ImportError as error:
        raise missing_library(f'The image tower "{config.model}"', "timm", error) from None
    if not timm.is_model(config.model):
        raise UsageError(f'timm {timm.__version__} has no model "{config.model}". A newer one may: pip install -U timm')
    pool = {"global_pool": config.pool} if config.pool else {}
    trunk = timm.create_model(config.model, num_classes=embedding if config.projection == "trunk" else 0, **pool)
    if is_on_meta():
        fill_buffers(trunk, compute_buffers, "timm")
    return trunk


def compute_buffers(trunk: nn.Module) -> None:
    """What timm's modules compute in place of storing it, such as rotary positions."""
    for module in trunk.modules():
        if hasattr(module, "init_non_persistent_buffers"):
            module.init_non_persistent_buffers()  # pyright: ignore[reportCallIssue]
