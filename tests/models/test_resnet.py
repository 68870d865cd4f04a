import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.architectures.config import ResNetConfig
from lexel.models.resnet import ModifiedResNet

SMALL = ResNetConfig(image_size=64, width=4, depths=(2, 1, 2, 1), heads=4)


def random_tower(config: ResNetConfig = SMALL) -> ModifiedResNet:
    """Every parameter and running statistic away from its default, so that none can be forgotten unnoticed."""
    tower = ModifiedResNet(config, embedding=16).double().eval()
    for name, tensor in tower.state_dict().items():
        if name.endswith("running_var"):
            nn.init.uniform_(tensor, 0.5, 2)
        elif tensor.is_floating_point():
            nn.init.normal_(tensor, std=0.3)
    return tower


class Restated:
    """The paper's description in plain functions on a flat dictionary of weights; inference only."""

    def __init__(self, weights: dict[str, Tensor], config: ResNetConfig) -> None:
        self.weights = weights
        self.config = config

    def __call__(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x, "stem.first", stride=2))
        x = F.relu(self.conv(x, "stem.second"))
        x = F.relu(self.conv(x, "stem.third"))
        x = self.average(x, 2)
        for stage, depth in enumerate(self.config.depths):
            for index in range(depth):
                x = self.bottleneck(x, f"stages.{stage}.{index}", stride=2 if stage and not index else 1)
        return self.attention_pool(x)

    def bottleneck(self, x: Tensor, name: str, stride: int) -> Tensor:
        y = F.relu(self.conv(x, f"{name}.reduce"))
        y = F.relu(self.conv(y, f"{name}.mix"))
        y = self.conv(self.average(y, stride), f"{name}.expand")
        if f"{name}.shortcut.0.weight" in self.weights:
            x = self.conv(self.average(x, stride), f"{name}.shortcut")
        return F.relu(x + y)

    def attention_pool(self, x: Tensor) -> Tensor:
        cells = x.reshape(*x.shape[:2], -1)  # (B, D, T)
        tokens = torch.cat([cells.mean(2, keepdim=True), cells], dim=2).permute(0, 2, 1)
        tokens = tokens + self.weights["pool.position_embedding"]
        q = self.linear(tokens[:, 0], "pool.query")
        k, v = self.linear(tokens, "pool.key"), self.linear(tokens, "pool.value")
        width = q.shape[1] // self.config.heads
        heads = []
        for head in range(self.config.heads):
            part = slice(head * width, (head + 1) * width)
            logits = torch.einsum("bd,btd->bt", q[:, part], k[:, :, part]) * width**-0.5
            heads.append(torch.einsum("bt,btd->bd", logits.softmax(1), v[:, :, part]))
        return self.linear(torch.cat(heads, dim=1), "pool.output")

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        kernel = self.weights[f"{name}.0.weight"]
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        mean, variance, gain, bias = (
            self.weights[f"{name}.1.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(variance + 1e-5) * gain + bias

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    @staticmethod
    def average(x: Tensor, size: int) -> Tensor:
        return x.unfold(2, size, size).unfold(3, size, size).mean((4, 5))


def test_it_equals_an_independent_restatement():
    tower = random_tower()
    pixels = torch.randn(3, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(tower(pixels), Restated(tower.state_dict(), SMALL)(pixels))


@pytest.mark.parametrize("size", [32, 64, 96])
def test_any_multiple_of_32_gives_embeddings(size):
    assert random_tower()(torch.randn(2, 3, size, size, dtype=torch.float64)).shape == (2, 16)


def test_a_size_that_is_no_multiple_of_32_is_refused():
    with pytest.raises(ValueError, match="multiple of 32"):
        random_tower()(torch.randn(2, 3, 80, 80, dtype=torch.float64))


def test_rn50_ends_in_2048_channels_on_a_grid_of_seven():
    with torch.device("meta"):
        tower = ModifiedResNet(ResNetConfig(), embedding=1024)
        cells = tower.stages(tower.stem(torch.empty(2, 3, 224, 224)))
    assert cells.shape == (2, 2048, 7, 7)
    assert sum(parameter.numel() for parameter in tower.parameters()) == 38_316_896
