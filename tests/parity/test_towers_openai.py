"""Full-size RN50 against OpenAI's published architecture, restated here as formulas on a dict of OpenAI's tensors.

Written from the paper (Radford et al. 2021, section 2.4) and the names of the released tensors, without any module of
ours: convolutions, running statistics, softmax by hand.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden.families import pixels, weight
from torch import Tensor

from lexel.architectures.zoo import architecture
from lexel.checkpoints.formats.open_clip.tensors import open_clip_rows
from lexel.checkpoints.formats.tensor_tables import to_ours
from lexel.models.clip import CLIP

DEPTHS, HEADS = (3, 4, 6, 3), 32


class OpenAI:
    """RN50 of the release: `encode_image` and `encode_text` as its tensors' names tell them."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors

    def encode_image(self, pixels: Tensor) -> Tensor:
        x = pixels
        for number, stride in ((1, 2), (2, 1), (3, 1)):
            x = self.convolve(x, f"visual.conv{number}", f"visual.bn{number}", stride).clamp(min=0)
        x = F.avg_pool2d(x, 2)
        for stage, depth in enumerate(DEPTHS, start=1):
            for block in range(depth):
                x = self.bottleneck(x, f"visual.layer{stage}.{block}.", 2 if stage > 1 and block == 0 else 1)
        return self.pool(x)

    def bottleneck(self, x: Tensor, name: str, stride: int) -> Tensor:
        y = self.convolve(x, f"{name}conv1", f"{name}bn1").clamp(min=0)
        y = self.convolve(y, f"{name}conv2", f"{name}bn2").clamp(min=0)
        if stride > 1:
            x, y = F.avg_pool2d(x, stride), F.avg_pool2d(y, stride)
        if f"{name}downsample.0.weight" in self.tensors:
            x = self.convolve(x, f"{name}downsample.0", f"{name}downsample.1")
        return (x + self.convolve(y, f"{name}conv3", f"{name}bn3")).clamp(min=0)

    def convolve(self, x: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        kernel = self.tensors[f"{name}.weight"]
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        mean, variance, gain, bias = (
            self.tensors[f"{norm}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * gain + bias

    def pool(self, x: Tensor) -> Tensor:
        cells = x.flatten(2).permute(2, 0, 1)  # (49, B, 2048)
        tokens = torch.cat([cells.mean(0, keepdim=True), cells])
        tokens = tokens + self.tensors["visual.attnpool.positional_embedding"][:, None]
        q, k, v = (self.linear(tokens, f"visual.attnpool.{part}_proj") for part in "qkv")
        mixed = self.attend(q[:1].transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1), HEADS)
        return self.linear(mixed[:, 0], "visual.attnpool.c_proj")

    def encode_text(self, ids: Tensor) -> Tensor:
        x = self.tensors["token_embedding.weight"][ids] + self.tensors["positional_embedding"][: ids.shape[1]]
        for layer in range(12):
            name = f"transformer.resblocks.{layer}."
            y = self.norm(x, f"{name}ln_1")
            weights, bias = self.tensors[f"{name}attn.in_proj_weight"], self.tensors[f"{name}attn.in_proj_bias"]
            q, k, v = (y @ weights.T + bias).chunk(3, dim=-1)
            x = x + self.linear(self.attend(q, k, v, 8, causal=True), f"{name}attn.out_proj")
            y = self.linear(self.norm(x, f"{name}ln_2"), f"{name}mlp.c_fc")
            x = x + self.linear(y * torch.sigmoid(1.702 * y), f"{name}mlp.c_proj")
        x = self.norm(x, "ln_final")
        return x[torch.arange(len(x)), ids.argmax(-1)] @ self.tensors["text_projection"]

    def attend(self, q: Tensor, k: Tensor, v: Tensor, heads: int, *, causal: bool = False) -> Tensor:
        mixed = []
        for q_head, k_head, v_head in zip(*(x.chunk(heads, dim=-1) for x in (q, k, v)), strict=True):
            logits = q_head @ k_head.mT / q_head.shape[-1] ** 0.5
            if causal:
                logits = logits + torch.full_like(logits, -torch.inf).triu(1)
            mixed.append(logits.softmax(-1) @ v_head)
        return torch.cat(mixed, dim=-1)

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def norm(self, x: Tensor, name: str) -> Tensor:
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        return x * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]


@pytest.fixture(scope="module")
def both() -> tuple[OpenAI, CLIP]:
    """The same random RN50 in OpenAI's tensors and in our modules."""
    config = architecture("RN50-quickgelu")
    with torch.device("meta"):
        clip = CLIP(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in clip.state_dict().items()}
    rows = open_clip_rows(config, shapes, flat=True)
    theirs = {name: tamed(name, weight(name, row.wanted(shapes))) for row in rows for name in row.theirs}
    weights = to_ours(rows, theirs, shapes, "the reference")
    clip.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, assign=True)
    return OpenAI({name: torch.from_numpy(array) for name, array in theirs.items()}), clip.eval()


def tamed(name: str, values: np.ndarray) -> np.ndarray:
    """Each bottleneck adds a little, as in a trained network: sixteen of them would else drown the picture."""
    return values / 4 if name.endswith("bn3.weight") else values


def test_rn50_gives_the_image_embeddings_of_openais_architecture(both: tuple[OpenAI, CLIP]) -> None:
    theirs, ours = both
    pictures = torch.from_numpy(pixels(224)[:2])
    with torch.no_grad():
        assert distance(ours.encode_image(pictures), theirs.encode_image(pictures)) < 1e-5


def test_rn50_gives_the_text_embeddings_of_openais_architecture(both: tuple[OpenAI, CLIP]) -> None:
    theirs, ours = both
    ids = torch.randint(1, 49406, (3, 77), generator=torch.Generator().manual_seed(1))
    for row, length in zip(ids, (3, 20, 77), strict=True):
        row[length - 1] = 49407
        row[length:] = 0
    with torch.no_grad():
        expected = theirs.encode_text(ids)
        assert distance(ours.encode_text(ids), expected) < 1e-5
        assert distance(ours.encode_text(ids[:1, :3]), expected[:1]) < 1e-5


def distance(ours: Tensor, theirs: Tensor) -> float:
    """Of the vector that is farthest off, relative to its length; and both are no two copies of one vector."""
    assert torch.cosine_similarity(theirs[0], theirs[-1], dim=0) < 0.999 or len(theirs) == 1
    return float(((ours - theirs).norm(dim=1) / theirs.norm(dim=1)).max())
