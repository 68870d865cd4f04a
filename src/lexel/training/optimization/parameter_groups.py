"""Parameter groups: which rule moves each weight, with what share of the learning rate, and whether it decays.

Rates fall from the top of each tower to its bottom (Clark et al. 2020): `layer_decay` to the power of the layers above.
Muon takes the matrices of linear layers within blocks; stem, embeddings, norms, biases and what ends a tower are
AdamW's, as are all convolutions.
"""

from collections import defaultdict
from typing import Any, NamedTuple

from torch import nn

from lexel.models.clip import CLIP
from lexel.training.distributed.sharding import is_sharded
from lexel.training.optimization.tower_depth import TOP, places

Group = dict[str, Any]  # as torch's optimizers take them, and with the `share` of the learning rate


class Treatment(NamedTuple):
    """What the parameters of one group have in common."""

    by_muon: bool
    decays: bool
    share: float  # of the learning rate
    sharded: bool  # over processes: torch's fused kernels take no mixture


def parameter_groups(
    clip: CLIP, *, muon: bool, weight_decay: float, layer_decay: float
) -> tuple[list[Group], list[Group]]:
    """AdamW's and Muon's groups of all parameters that are trained. Raises UsageError where a tower is unknown."""
    place_of = places(clip) if muon or layer_decay != 1 else {}
    members: defaultdict[Treatment, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in clip.named_parameters():
        if not parameter.requires_grad:
            continue
        place = place_of.get(name, TOP)
        by_muon = muon and place.is_hidden and _is_linear(clip, name)
        treatment = Treatment(
            by_muon,
            _decays(clip, name, parameter),
            layer_decay**place.below_top,
            is_sharded(parameter),
        )
        members[treatment].append(parameter)
    for_adamw: list[Group] = []
    for_muon: list[Group] = []
    for treatment, parameters in members.items():
        decay = weight_decay if treatment.decays else 0.0
        group: Group = {"params": parameters, "weight_decay": decay, "share": treatment.share}
        (for_muon if treatment.by_muon else for_adamw).append(group)
    return for_adamw, for_muon


def _is_linear(clip: CLIP, name: str) -> bool:
    owner, _, leaf = name.rpartition(".")
    return leaf == "weight" and isinstance(clip.get_submodule(owner), nn.Linear)


def _decays(clip: CLIP, name: str, parameter: nn.Parameter) -> bool:
    """Whether it is a matrix or kernel. Norms, biases, embeddings, logit scale and bias would only be distorted."""
    owner, _, leaf = name.rpartition(".")
    is_embedding = isinstance(clip.get_submodule(owner), nn.Embedding) or leaf in {
        "position_embedding",
        "class_embedding",
        "queries",
        "probe",
    }
    return parameter.ndim > 1 and not is_embedding
