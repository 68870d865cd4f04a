"""A generative module that learns in a moment, for tests of the loop."""

from pathlib import Path

import torch
from torch import Tensor, nn

from lexel.generation.learning.batches import RowOrder, torch_random
from lexel.generation.learning.learn import Trained, learn
from lexel.generation.learning.settings import LearningSettings

IDENTITY = {"data": "cosines", "model": "none"}
ROWS = 50


class SmallLearner:
    """Learns y = cos(x) from noisy x, with dropout and BatchNorm. `bad` steps have a loss that is not finite."""

    def __init__(self, settings: LearningSettings, bad: frozenset[int] = frozenset()) -> None:
        torch.manual_seed(settings.seed)
        self.model = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))
        self.seed, self.bad = settings.seed, bad
        self.order = RowOrder(ROWS, settings.batch_size, settings.seed)
        self.x = torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(1))

    def loss(self, step: int) -> Tensor:
        x = self.x[self.order.rows(step)]
        noise = torch.randn(x.shape, generator=torch_random(self.seed, step, "noise"))
        loss = (self.model(x + 0.01 * noise) - x.cos()).square().mean()
        return loss * float("nan") if step in self.bad else loss


def small_settings(**changes: object) -> LearningSettings:
    common = {
        "steps": 40,
        "batch_size": 8,
        "learning_rate": 0.02,
        "average": 0.9,
        "precision": "float32",
        "snapshot": {"every_steps": 8},
    }
    return LearningSettings.model_validate(common | changes)


def learn_a_little(folder: Path, settings: LearningSettings | None = None) -> tuple[nn.Module, Trained]:
    settings = settings or small_settings()
    learner = SmallLearner(settings)
    return learner.model, learn(learner, folder, settings, IDENTITY)
