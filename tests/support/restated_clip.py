"""OpenAI's CLIP restated with PyTorch's own layers, under the names that OpenAI gave: the tests' reference.

After Radford et al. 2021 and the published model card; small enough to be run, scripted and saved in a moment.
"""

import warnings
from collections import OrderedDict

import torch
from torch import Tensor, nn


class QuickGELU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, width: int, heads: int, activation: type[nn.Module], mask: Tensor | None) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln_1 = nn.LayerNorm(width)
        layers = [
            ("c_fc", nn.Linear(width, 4 * width)),
            ("gelu", activation()),
            ("c_proj", nn.Linear(4 * width, width)),
        ]
        self.mlp = nn.Sequential(OrderedDict(layers))
        self.ln_2 = nn.LayerNorm(width)
        self.attn_mask = mask

    def forward(self, x: Tensor) -> Tensor:  # (T, B, D)
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=self.attn_mask)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self, width: int, depth: int, heads: int, act: type[nn.Module], mask: Tensor | None = None) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(Block(width, heads, act, mask) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        return self.resblocks(x.permute(1, 0, 2)).permute(1, 0, 2)


class VisionTransformer(nn.Module):
    def __init__(
        self, act: type[nn.Module], size: int = 32, patch: int = 8, width: int = 64, embedding: int = 24
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros((size // patch) ** 2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, 2, width // 64, act)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.zeros(width, embedding))

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.conv1(pixels).flatten(2).permute(0, 2, 1)
        first = self.class_embedding.expand(x.shape[0], 1, -1)
        x = self.ln_pre(torch.cat([first, x], dim=1) + self.positional_embedding)
        return self.ln_post(self.transformer(x)[:, 0]) @ self.proj


class Bottleneck(nn.Module):
    def __init__(self, before: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes)
        self.avgpool = nn.AvgPool2d(stride)
        self.conv3, self.bn3 = nn.Conv2d(planes, 4 * planes, 1, bias=False), nn.BatchNorm2d(4 * planes)
        self.downsample = None
        if stride > 1 or before != 4 * planes:
            layers = [
                ("-1", nn.AvgPool2d(stride)),
                ("0", nn.Conv2d(before, 4 * planes, 1, bias=False)),
                ("1", nn.BatchNorm2d(4 * planes)),
            ]
            self.downsample = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu()
        y = self.avgpool(self.bn2(self.conv2(y)).relu())
        y = self.bn3(self.conv3(y))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class AttentionPool(nn.Module):
    def __init__(self, cells: int, width: int, heads: int, embedding: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.zeros(cells + 1, width))
        self.k_proj, self.q_proj, self.v_proj = (
            nn.Linear(width, width),
            nn.Linear(width, width),
            nn.Linear(width, width),
        )
        self.c_proj = nn.Linear(width, embedding)
        self.num_heads = heads

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).permute(2, 0, 1)  # (T, B, D)
        x = torch.cat([x.mean(0, keepdim=True), x]) + self.positional_embedding[:, None]
        pooled, _ = nn.functional.multi_head_attention_forward(
            x[:1], x, x, x.shape[-1], self.num_heads, None,
            torch.cat([self.q_proj.bias, self.k_proj.bias, self.v_proj.bias]), None, None, False, 0.0,
            self.c_proj.weight, self.c_proj.bias, use_separate_proj_weight=True, q_proj_weight=self.q_proj.weight,
            k_proj_weight=self.k_proj.weight, v_proj_weight=self.v_proj.weight, training=False, need_weights=False,
        )  # fmt: skip
        return pooled[0]


class ModifiedResNet(nn.Module):
    def __init__(
        self, width: int = 8, depths: tuple[int, ...] = (2, 1, 1, 1), size: int = 64, embedding: int = 24
    ) -> None:
        super().__init__()
        half = width // 2
        self.conv1, self.bn1 = nn.Conv2d(3, half, 3, 2, 1, bias=False), nn.BatchNorm2d(half)
        self.conv2, self.bn2 = nn.Conv2d(half, half, 3, padding=1, bias=False), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = nn.Conv2d(half, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.avgpool = nn.AvgPool2d(2)
        before, stages = width, []
        for stage, depth in enumerate(depths):
            planes = width * 2**stage
            first = Bottleneck(before, planes, 1 if stage == 0 else 2)
            before = 4 * planes
            stages.append(nn.Sequential(first, *(Bottleneck(before, planes, 1) for _ in range(depth - 1))))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.attnpool = AttentionPool((size // 32) ** 2, before, 32 * width // 64, embedding)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        x = self.avgpool(self.bn3(self.conv3(x)).relu())
        return self.attnpool(self.layer4(self.layer3(self.layer2(self.layer1(x)))))


class RestatedCLIP(nn.Module):
    """Both towers; `visual` is one of those above. Captions have 12 tokens of 100 and end with the highest id."""

    def __init__(
        self, visual: nn.Module, act: type[nn.Module] = QuickGELU, width: int = 64, embedding: int = 24
    ) -> None:
        super().__init__()
        self.visual = visual
        mask = torch.full((12, 12), float("-inf")).triu(1)
        self.transformer = Transformer(width, 2, width // 64, act, mask)
        self.token_embedding = nn.Embedding(100, width)
        self.positional_embedding = nn.Parameter(torch.zeros(12, width))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.zeros(width, embedding))
        self.logit_scale = nn.Parameter(torch.tensor(2.5))

    def encode_image(self, pixels: Tensor) -> Tensor:
        return self.visual(pixels)

    def encode_text(self, ids: Tensor) -> Tensor:
        x = self.ln_final(self.transformer(self.token_embedding(ids) + self.positional_embedding))
        return x[torch.arange(x.shape[0]), ids.argmax(dim=-1)] @ self.text_projection

    def forward(self, pixels: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        return self.encode_image(pixels), self.encode_text(ids)


@torch.no_grad()
def restated(kind: str = "vit", act: type[nn.Module] = QuickGELU, seed: int = 0) -> RestatedCLIP:
    """A model with weights of every size, ready for evaluation."""
    generator = torch.Generator().manual_seed(seed)
    model = RestatedCLIP(VisionTransformer(act) if kind == "vit" else ModifiedResNet(), act)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            drawn = torch.randn(tensor.shape, generator=generator) * (
                0.3 / max(1, tensor.shape[-1]) ** 0.5 if tensor.ndim > 1 else 0.1
            )
            is_gain = name.endswith(("running_var", "weight")) and tensor.ndim == 1
            tensor.copy_(1 + drawn.abs() if is_gain else drawn)
    return model.eval()


def captions() -> Tensor:
    """Four rows of ids that end at different places, filled with zeros."""
    ids = torch.zeros(4, 12, dtype=torch.int64)
    generator = torch.Generator().manual_seed(1)
    for row, length in zip(ids, (2, 5, 9, 12), strict=True):
        row[:length] = torch.randint(1, 98, (length,), generator=generator)
        row[length - 1] = 99
    return ids


def write_archive(model: RestatedCLIP, path: str, *, marks: bool = True) -> dict[str, Tensor]:
    """A TorchScript archive as OpenAI published them; returns its tensors as PyTorch names them."""
    size = 32 if isinstance(model.visual, VisionTransformer) else 64
    if marks:
        for name, value in (("input_resolution", size), ("context_length", 12), ("vocab_size", 100)):
            model.register_buffer(name, torch.tensor(value))
    inputs = (torch.zeros(2, 3, size, size, dtype=model.text_projection.dtype), captions()[:2])
    with warnings.catch_warnings(action="ignore"):  # tracing is deprecated; the files are not
        torch.jit.trace(model, inputs, check_trace=False).save(path)  # pyright: ignore
    return model.state_dict()
