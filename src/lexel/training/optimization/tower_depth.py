"""How deep in its tower each weight stands, which layer-wise learning-rate decay and Muon need to know."""

from dataclasses import dataclass

from lexel.errors import UsageError
from lexel.models.clip import CLIP


@dataclass(frozen=True, slots=True)
class Place:
    """Where a weight stands; layers are counted as in `TowerLayers`."""

    layer: int  # 0 … top
    top: int

    @property
    def below_top(self) -> int:
        return self.top - self.layer

    @property
    def is_hidden(self) -> bool:
        """Whether it is within a block."""
        return 0 < self.layer < self.top


TOP = Place(0, 0)  # of what is in neither tower: logit scale and bias


def places(clip: CLIP) -> dict[str, Place]:
    """The place of every parameter, by name. Raises UsageError where a tower's blocks cannot be recognised."""
    found = {name: TOP for name, _ in clip.named_parameters()}
    for prefix, tower in clip.towers.items():
        layers = tower.parameter_layers()
        if layers is None:
            raise UsageError(
                f'Lexel does not recognise the blocks of the {prefix} tower "{tower.name}", which '
                'optimizer.layer_decay and optimizer.kind = "muon" go by.\n'
                'Leave optimizer.layer_decay at 1 and optimizer.kind at "adamw".'
            )
        found |= {f"{prefix}.{name}": Place(layer, layers.top) for name, layer in layers.layer_of.items()}
    return found
