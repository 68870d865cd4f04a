"""An objective that is not CLIP's, trained through the same step: a student learns a teacher's image embeddings."""

from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from made_up import ALONE, batch, clip_of, furthest, gradients_of, recipe
from tiny_towers import KINDS
from torch import Tensor, nn

from lexel.data.loader import Batch
from lexel.models.towers import Tower
from lexel.training.metering.work import Work
from lexel.training.step.gradients import Gradients
from lexel.training.step.objective import BatchLoss, ForwardPass, Objective, Rows

ROWS, WIDTH = 8, 12


class Student(nn.Module):
    """A tower, and a head that maps its embeddings to the teacher's."""

    def __init__(self, tower: Tower, embedding: int) -> None:
        super().__init__()
        self.tower = tower
        self.head = nn.Linear(embedding, WIDTH, dtype=torch.float64)


class Distillation:
    """The student's image embeddings, mapped by its head, come near to those that a teacher has of the same images."""

    def __init__(self, student: Student, teacher: Tensor) -> None:
        self.student = student
        self.teacher = teacher  # (rows of the batch, WIDTH)

    @property
    def model(self) -> Student:
        return self.student

    @property
    def towers(self) -> Mapping[str, Tower]:
        return {"image": self.student.tower}

    def passes(self, batch: Batch, step: int) -> Mapping[str, ForwardPass]:
        assert batch.pixels is not None
        return self._passes(batch.pixels, self.teacher[batch.places])

    def _passes(self, pixels: Tensor, teacher: Tensor) -> Mapping[str, ForwardPass]:
        return {
            "teacher": ForwardPass(lambda vectors: vectors, (Rows(teacher),)),
            "student": ForwardPass(
                lambda pixels: self.student.head(self.student.tower(pixels / 255.0)),
                (Rows(pixels.double()),),
                self.student.tower,
            ),
        }

    def loss(self, batch: Batch, outputs: Mapping[str, Tensor]) -> BatchLoss:
        cosine = F.cosine_similarity(outputs["student"], outputs["teacher"]).mean()
        return BatchLoss(F.mse_loss(outputs["student"], outputs["teacher"]), {"teacher_cosine": cosine})

    def largest_passes(self, rows: int) -> Mapping[str, ForwardPass]:
        return self._passes(torch.zeros(rows, 3, 32, 32), torch.zeros(rows, WIDTH, dtype=torch.float64))

    def work(self, batch: Batch, step: int) -> Work:
        return Work(tokens=None, flops=None)


def distillation() -> Distillation:
    clip = clip_of(KINDS["clip"])
    torch.manual_seed(0)
    teacher = torch.randn(ROWS, WIDTH, dtype=torch.float64)
    return Distillation(Student(clip.image, clip.config.embedding), teacher)


@pytest.mark.parametrize("micro_batch", ["auto", 3])
def test_the_step_computes_the_gradient_of_any_objective(micro_batch):
    objective, samples = distillation(), batch(ROWS)
    assert samples.pixels is not None
    student = objective.student
    expected_loss = F.mse_loss(student.head(student.tower(samples.pixels.double() / 255)), objective.teacher)
    expected_loss.backward()
    expected = gradients_of(student)
    student.zero_grad(set_to_none=True)
    found = Gradients(objective, recipe(ROWS, micro_batch=micro_batch), ALONE)(samples, 0)
    assert found.loss == pytest.approx(expected_loss.item(), rel=1e-12)
    assert furthest(gradients_of(student), expected) < 1e-12
    assert list(found.numbers) == ["teacher_cosine"]


def test_another_objective_trains_through_the_same_step():
    objective: Objective = distillation()
    engine = {"checkpoint_activations": True}
    gradients = Gradients(objective, recipe(ROWS, micro_batch=3, engine=engine), ALONE)
    optimizer = torch.optim.AdamW(objective.model.parameters(), lr=1e-2)
    measured = []
    for step in range(15):
        measured.append(gradients(batch(ROWS), step))
        optimizer.step()
        optimizer.zero_grad()
    assert measured[-1].loss < 0.8 * measured[0].loss
    assert measured[-1].numbers["teacher_cosine"] > 1.5 * measured[0].numbers["teacher_cosine"] > 0
