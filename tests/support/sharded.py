"""What each of two processes does in `test_sharded_optimizer.py`: steps of one model, its towers spread over both."""

import os
from pathlib import Path

import torch
from tiny import tiny_recipe
from torch import Tensor, nn

from lexel.models.clip import CLIP, init_weights
from lexel.training.distributed.sharding import is_sharded, like, whole
from lexel.training.optimization.average import Average
from lexel.training.optimization.optimizer import Optimizer, OptimizerSettings
from lexel.training.optimization.schedule import Schedule
from lexel.training.snapshots import Snapshots, newest_snapshot

STEPS = 4
KINDS = ("adamw", "muon")


def make(spread: bool, seed: int, kind: str) -> tuple[CLIP, Optimizer]:
    """A small model, its optimizer and its average; `spread`: with FSDP2 over the processes of the group."""
    clip = CLIP(tiny_recipe(model={"architecture": "lexel-xs"}).architecture())
    init_weights(clip, seed)
    frozen = clip.text.token_embedding.weight.requires_grad_(False)  # as in a tower that is partly frozen:
    nn.init.normal_(frozen, generator=torch.Generator().manual_seed(7))  # that of the starting model, in no snapshot
    if spread:
        from torch.distributed.fsdp import fully_shard

        for tower in (clip.image, clip.text):
            for block in tower.blocks:
                fully_shard(block)
            fully_shard(tower)
    settings = OptimizerSettings(kind=kind, layer_decay=0.8, clip_norm=0.5)
    return clip, Optimizer(clip, settings, Schedule(), steps=10, average=Average(clip, 0.9), precision="float32")


def take_step(clip: CLIP, optimizer: Optimizer, step: int) -> float:
    """One with made-up gradients, the same however the model is spread. Returns the gradient's norm."""
    generator = torch.Generator().manual_seed(step)
    for name, parameter in clip.named_parameters():
        gradient = torch.randn(parameter.shape, generator=generator)
        if parameter.requires_grad and name != "image.position_embedding":  # one that no step reaches
            parameter.grad = like(parameter, gradient)
    return optimizer.step(step, 1.0, ["a"]).gradient_norm


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: whole(value).detach().clone() for name, value in model.state_dict().items()}


def work(rank: int, port: int, folder: Path) -> None:
    """With each kind of optimizer take steps, save, and go on from what was saved; the first process writes it down."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    for kind in KINDS:
        found = steps(kind, folder / kind, writes=rank == 0)
        if rank == 0:
            torch.save(found, folder / f"{kind}.pt")
    torch.distributed.destroy_process_group()


def steps(kind: str, folder: Path, writes: bool) -> dict[str, object]:
    """What comes out of a model that is spread."""
    clip, optimizer = make(spread=True, seed=0, kind=kind)
    assert sum(is_sharded(parameter) for parameter in clip.parameters()) > 50
    norms = [take_step(clip, optimizer, step) for step in range(STEPS)]
    with Snapshots(folder, keep=1, writes=writes) as snapshots:
        snapshots.save(STEPS, clip, optimizer, {})
    torch.distributed.barrier()

    other, other_optimizer = make(spread=True, seed=1, kind=kind)
    snapshot = newest_snapshot(folder)
    assert snapshot is not None
    snapshot.restore(other, other_optimizer)
    for model, its in ((clip, optimizer), (other, other_optimizer)):
        take_step(model, its, STEPS)
    first, second = weights(clip), weights(other)
    resumed = all(torch.equal(first[name], second[name]) for name in first)
    with optimizer.averaged():
        averaged = weights(clip)
    return {"norms": norms, "weights": first, "averaged": averaged, "resumed": resumed}
