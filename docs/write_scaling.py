"""Write the tables of docs/scaling.md again: python docs/write_scaling.py

The numbers are those of `lexel plan`, and published ones; a test compares the page with what this makes of
them.
"""

from dataclasses import dataclass
from pathlib import Path

from lexel.architectures.cost import TRAINING, describe
from lexel.training.planning.plan import MFU, Plan, plan_run
from lexel.training.planning.plan_data import ASSUMED_PAIR_BYTES, ASSUMED_TOKENS
from lexel.training.recipe import Recipe

PAGE = Path(__file__).with_name("scaling.md")
PLANS = PAGE.parents[1] / "recipes" / "plans"
PAIRS = 400e6
RECIPES = {"ViT-B/32": "vit-b-32", "ViT-B/16": "vit-b-16", "ViT-L/14": "vit-l-14"}
CLUSTERS = (("a100", 128), ("h100", 64))

A100, V100 = 312e12, 125e12  # dense, in bfloat16 and in float16
PAPER = "[Radford et al. 2021](https://arxiv.org/abs/2103.00020), section 2.5"
OPEN_CLIP = "[OpenCLIP](https://github.com/mlfoundations/open_clip/blob/main/docs/PRETRAINED.md)"
SCALING_LAWS = (
    "[Cherti et al. 2022](https://github.com/LAION-AI/scaling-laws-openclip/blob/master/trained_models_info.csv)"
)
EPOCHS_32 = 12_800_000_000
LAION_400M_32 = 32 * 407_332_084


@dataclass(frozen=True)
class Published:
    """A run that others have made. Every caption took 77 tokens."""

    model: str  # as they call it
    architecture: str  # as the zoo calls it
    hardware: str
    peak: float  # of one accelerator
    samples: int
    gpu_hours: float
    source: str

    @classmethod
    def by_rate(cls, model: str, architecture: str, gpus: int, per_second: float, samples: int) -> "Published":
        """A run on A100s whose speed is published."""
        hours = gpus * samples / per_second / 3600
        return cls(model, architecture, f"{gpus} A100", A100, samples, hours, SCALING_LAWS)

    @property
    def flops(self) -> float:
        cost = describe(self.architecture)
        assert cost.gflops_image is not None
        assert cost.gflops_text is not None
        return TRAINING * 1e9 * (cost.gflops_image + cost.gflops_text) * self.samples

    @property
    def mfu(self) -> float:
        return self.flops / (self.gpu_hours * 3600 * self.peak)


PUBLISHED = (
    Published("ViT-L/14", "ViT-L-14", "256 V100, 12 days", V100, EPOCHS_32, 256 * 12 * 24, PAPER),
    Published("RN50x64", "RN50x64", "592 V100, 18 days", V100, EPOCHS_32, 592 * 18 * 24, PAPER),
    Published("ViT-B/32", "ViT-B-32", "128 A100, 36 hours", A100, LAION_400M_32, 4_600, OPEN_CLIP),
    Published("ViT-B/16", "ViT-B-16", "176 A100, 61 hours", A100, LAION_400M_32, 10_700, OPEN_CLIP),
    Published("ViT-L/14, checkpointed", "ViT-L-14", "400 A100, 127 hours", A100, LAION_400M_32, 50_800, OPEN_CLIP),
    Published.by_rate("ViT-B/32", "ViT-B-32", 128, 108_844.5704, 84 * 407_332_084),
    Published.by_rate("ViT-B/16", "ViT-B-16", 344, 136_370.9084, 6 * 407_332_084),
    Published.by_rate("ViT-L/14", "ViT-L-14", 200, 35_524.82252, 163 * 80_000_415),
    Published.by_rate("ViT-L/14, LAION-2B", "ViT-L-14", 384, 27_861.91926, 160 * 200_000_000),
)


def plan(model: str, gpu: str, gpus: int, tokens: int | None = None) -> Plan:
    """What `lexel plan recipes/plans/… --pairs 400e6 --gpu … --gpus …` finds."""
    return plan_run(Recipe.load(PLANS / f"{RECIPES[model]}.toml"), pairs=PAIRS, gpu=gpu, gpus=gpus, tokens=tokens)


def needs() -> str:
    """Arithmetic, and the hours of one accelerator of each kind."""
    plans = {model: plan(model, "h100", 64) for model in RECIPES}
    kinds = [f"{kind}, hours" for kind in next(iter(plans.values())).elsewhere]
    lines = [
        f"| model | parameters, millions | GFLOP a pair | FLOP in all | {' | '.join(kinds)} |",
        "|---|---|---|---|" + "---|" * len(kinds),
    ]
    for model, planned in plans.items():
        computation = planned.computation
        cells = (
            model,
            f"{planned.parameters / 1e6:,.1f}",
            f"{(computation.image + computation.text) / 1e9:,.1f} ({computation.image / 1e9:,.1f} + "
            f"{computation.text / 1e9:,.1f})",
            f"{computation.run:.2e}",
            *(f"{hours:,.0f}" for hours in planned.elsewhere.values()),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def clusters() -> str:
    """Time, memory and bandwidth on some machines."""
    lines = [
        "| model | on | time | GPU-hours | a step | pairs/s | memory of each | pairs at a time | made again | "
        "sent by each | read in all |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for model in RECIPES:
        for gpu, gpus in CLUSTERS:
            planned = plan(model, gpu, gpus)
            sent = planned.network.gradients + planned.network.embeddings
            cells = (
                model,
                f"{gpus} × {planned.accelerator.name}",
                f"{planned.time.hours:,.1f} h",
                f"{planned.time.gpu_hours:,.0f}",
                f"{planned.time.step:.2f} s",
                f"{planned.time.pairs_per_second:,.0f}",
                f"{planned.memory.total / 1e9:.0f} GB",
                f"{planned.micro_batch} of {planned.local_batch}",
                f"{planned.recomputed} forward" if planned.recomputed else "nothing",
                f"{sent / 1e9:.1f} GB a step, {8 * sent / planned.time.step / 1e9:,.0f} Gbit/s",
                f"{planned.time.pairs_per_second * planned.data.pair_bytes / 1e9:.1f} GB/s",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def published() -> str:
    """Runs of others, and which share of their machines' peak they used."""
    lines = [
        "| model | on | pairs seen, billions | GPU-hours | FLOP | share of the peak | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in PUBLISHED:
        cells = (
            run.model,
            run.hardware,
            f"{run.samples / 1e9:.1f}",
            f"{run.gpu_hours:,.0f}",
            f"{run.flops:.2e}",
            f"{run.mfu:.0%}",
            run.source,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def assumptions() -> str:
    """What all plans of the page assume."""
    planned = plan("ViT-B/32", "h100", 64)
    return (
        f"Assumed: {PAIRS / 1e6:.0f} million pairs seen {planned.pairs_seen / planned.data.epoch:.0f} times, "
        f"{planned.pairs_seen / 1e9:.1f} billion in all; batches of {planned.batch_size:,}; "
        f"{ASSUMED_TOKENS} tokens a caption, start and end included; {ASSUMED_PAIR_BYTES:,} stored bytes a pair, "
        f"{planned.data.bytes / 1e12:.1f} TB in all; {MFU:.0%} of the peak."
    )


def page(existing: str) -> str:
    """The page with what this file writes written again; the rest is kept."""
    for part in (assumptions, needs, clusters, published):
        start, end = f"<!-- {part.__name__}: written by docs/write_scaling.py -->\n", "\n<!-- end -->"
        before, mark, rest = existing.partition(start)
        existing = before + mark + part() + end + rest.partition(end)[2]
    return existing


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
