"""Pictures a second and peak memory of the painter's decoder, beside `diffusers`' own pipeline with the same U-Net.

    python benchmarks/painter_speed.py [--size 32] [--steps 16] [--pictures 64] [--rounds 3]

Both draw batches of 32 pictures with as many evaluations of the same network: Euler's steps here, DDIM's there, without
guidance, in float32. Weights are random. Each round is a process of its own, and rounds are interleaved; shown are the
medians of the seconds of processor time per picture, as pictures per such second, and of the peak memory.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from lexel.generation.pictures.decoder import Decoder, DecoderSettings
from lexel.generation.pictures.parts import BATCH, FlowDecoder

DIMENSIONS = 128


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("lexel", "diffusers"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(*measure(options.only, options.size, options.steps, options.pictures))
        return
    found: dict[str, list[tuple[float, float]]] = {"lexel": [], "diffusers": []}
    for _ in range(options.rounds):
        for name in found:
            done = subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--only", name], check=True, capture_output=True, text=True
            )
            speed, memory = map(float, done.stdout.split()[-2:])
            found[name].append((speed, memory))
    print(f"{options.size} pixels, {options.steps} evaluations, {options.pictures} pictures, torch {torch.__version__}")
    print(f"{'':<12}{'pictures/s':>12}{'peak MB':>10}")
    medians = {
        name: [statistics.median(column) for column in zip(*rounds, strict=True)] for name, rounds in found.items()
    }
    for name, (speed, memory) in medians.items():
        print(f"{name:<12}{speed:>12.1f}{memory:>10.0f}")
    ratios = [ours / theirs for ours, theirs in zip(medians["lexel"], medians["diffusers"], strict=True)]
    print(f"{'ratio':<12}{ratios[0]:>12.2f}{ratios[1]:>10.2f}")


def measure(name: str, size: int, steps: int, pictures: int) -> tuple[float, float]:
    """Pictures per second of processor time, and the peak memory of this process in MB."""
    torch.manual_seed(0)
    decoder = Decoder(DecoderSettings(size=size), DIMENSIONS).eval()
    draw = ours(decoder, steps) if name == "lexel" else theirs(decoder, steps)
    draw(BATCH)  # warm
    began = time.process_time()
    draw(pictures)
    return pictures / (time.process_time() - began), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ours(decoder: Decoder, steps: int) -> Callable[[int], object]:
    """Lexel's decoder on random vectors."""
    flow = FlowDecoder(decoder, steps, guidance=1.0, solver="euler")
    vectors = torch.nn.functional.normalize(torch.randn(1, DIMENSIONS)).numpy()
    return lambda count: flow.decode(
        vectors.repeat(count, axis=0), seed=0, numbers=list(range(count)), steps=None, guidance=None
    )


def theirs(decoder: Decoder, steps: int) -> Callable[[int], object]:
    """`diffusers`' pipeline with a U-Net of the same layers, which knows no vectors."""
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.pipelines.ddim.pipeline_ddim import DDIMPipeline
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    unet = UNet2DModel.from_config(dict(decoder.unet.config) | {"class_embed_type": None}).eval()
    pipeline = DDIMPipeline(unet=unet, scheduler=DDIMScheduler())
    pipeline.set_progress_bar_config(disable=True)

    def draw(count: int) -> None:
        for _ in range(0, count, BATCH):
            pipeline(batch_size=BATCH, num_inference_steps=steps, output_type="np")

    return draw


if __name__ == "__main__":
    main()
