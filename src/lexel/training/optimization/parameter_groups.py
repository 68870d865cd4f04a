"""Parameter groups: which rule moves each weight, with what share of the learning rate, and whether it decays.

Rates fall from the top of each tower to its bottom (Clark et al. 2020): `layer_decay` to the power of the layers above.
Muon takes the matrices of linear layers and the kernels of convolutions within blocks, each as a matrix of its outputs
by all that they see (Jordan et al. 2024). Stem, embeddings, norms, biases and what ends a tower are AdamW's, as are
convolutions that keep channels apart.
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
    model: nn.Module, *, muon: bool, weight_decay: float, layer_decay: float
) -> tuple[list[Group], list[Group]]:
    """AdamW's and Muon's groups of all parameters that are trained.

    Muon and a `layer_decay` other than 1 want a CLIP. Raises UsageError where a tower is unknown.
    """
    if muon or layer_decay != 1:
        assert isinstance(model, CLIP)
        place_of = places(model)
    else:
        place_of = {}
    members: defaultdict[Treatment, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        place = place_of.get(name, TOP)
        by_muon = muon and place.is_hidden and _is_matrix(model, name)
        treatment = Treatment(
            by_muon,
            _decays(model, name, parameter),
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


def _is_matrix(model: nn.Module, name: str) -> bool:
    """Whether it is a weight that mixes all channels: of a linear layer, or of a convolution without groups."""
    owner, _, leaf = name.rpartition(".")
    module = model.get_submodule(owner)
    mixes = isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
    return leaf == "weight" and mixes


def _decays(model: nn.Module, name: str, parameter: nn.Parameter) -> bool:
    """Whether it is a matrix or kernel. Norms, biases, embeddings, logit scale and bias would only be distorted."""
    owner, _, leaf = name.rpartition(".")
    is_embedding = isinstance(model.get_submodule(owner), nn.Embedding) or leaf in {
        "position_embedding",
        "class_embedding",
        "queries",
        "probe",
    }
    return parameter.ndim > 1 and not is_embedding
