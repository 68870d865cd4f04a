"""CLIP's objective: the image and the text of a pair are near each other in one space, and those of two pairs are not.

The two forward passes are here, from pixels and token ids to unit vectors; the losses over all of them, softmax and
sigmoid, are in `lexel.training.loss`; `loss/contrastive.py` has the plain formula.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from lexel.data.loader import Batch
from lexel.images import Preprocessing
from lexel.models.clip import CLIP
from lexel.models.towers import Tower, choose_patches
from lexel.training.loss.contrastive import contrastive_loss
from lexel.training.loss.positives import Groups
from lexel.training.metering.phases import phase
from lexel.training.metering.work import Work, WorkCounter
from lexel.training.recipe import Recipe
from lexel.training.step.objective import BatchLoss, ForwardPass, Rows
from lexel.training.step.seeds import draw_noise


class ContrastiveObjective:
    """An `Objective`: the towers of a CLIP, and the loss that the recipe asks for."""

    def __init__(self, clip: CLIP, recipe: Recipe, preprocessing: Preprocessing, steps: int) -> None:
        """`clip` is in training mode and takes `steps` steps in all; `preprocessing` has made the pictures."""
        self.clip = clip
        self.recipe = recipe
        self.steps = steps
        self._dtype = clip.logit_scale.dtype  # float32, but in tests
        self._mean, self._std = (
            255 * torch.tensor(channels, device=clip.logit_scale.device, dtype=self._dtype).view(3, 1, 1)
            for channels in (preprocessing.mean, preprocessing.std)
        )
        self._counter = WorkCounter(clip)

    @property
    def model(self) -> CLIP:
        return self.clip

    @property
    def towers(self) -> Mapping[str, Tower]:
        return {"text": self.clip.text, "image": self.clip.image}

    def passes(self, batch: Batch, step: int) -> Mapping[str, ForwardPass]:
        """Texts come first: on a GPU their tower waits for their lengths, and nothing long is under way before."""
        return {"text": self.text_pass(batch), "image": self._image_pass(batch, step)}

    def loss(self, batch: Batch, outputs: Mapping[str, Tensor]) -> BatchLoss:
        """The contrast of unit vectors (b, E): each other sample is a negative, unless it belongs to the same."""
        groups = Groups(batch.image_group, batch.label_group, batch.text_group)
        scale = self.clip.logit_scale.exp()
        found = contrastive_loss(
            outputs["image"], outputs["text"], scale, self.clip.logit_bias, groups, self.recipe.loss
        )
        return BatchLoss(found.loss, {"accuracy": found.accuracy, "logit_scale": scale})

    def largest_passes(self, rows: int) -> Mapping[str, ForwardPass]:
        """With pictures of full size, as few patches dropped as at the end, and captions that fill the context."""
        image, text = self.clip.config.image, self.clip.config.text
        pixels = torch.zeros(rows, 3, image.image_size, image.image_size, dtype=torch.uint8)
        noise = torch.zeros(rows, image.patches(image.image_size))
        word = (text.end_of_text + 1) % text.vocabulary_size
        ids = torch.full((rows, text.context_length), word)
        dropout = image.final_patch_dropout if self.clip.image.training else 0.0
        return {"text": self._pass_of_ids(ids), "image": self._pass_of_pixels(pixels, noise, dropout)}

    def work(self, batch: Batch, step: int) -> Work:
        return self._counter.count(batch, self._patch_dropout(step))

    def _image_pass(self, batch: Batch, step: int) -> ForwardPass:
        if batch.image_vectors is not None:
            return _cached(batch.image_vectors)
        assert batch.pixels is not None
        patches = self.clip.config.image.patches(batch.pixels.shape[-1])
        dropout = self._patch_dropout(step)
        seed, batch_size = self.recipe.seed, self.recipe.batch_size
        noise = draw_noise(seed, step, batch_size, patches, batch.places) if dropout else None
        return self._pass_of_pixels(batch.pixels, noise, dropout)

    def text_pass(self, batch: Batch) -> ForwardPass:
        """That of the texts alone."""
        if batch.text_vectors is not None:
            return _cached(batch.text_vectors)
        assert batch.ids is not None
        return self._pass_of_ids(batch.ids)

    def _patch_dropout(self, step: int) -> float:
        """The share of a picture's patches that step `step` leaves out; a frozen tower looks at all."""
        if not self.clip.image.training:
            return 0.0
        return self.recipe.ramp.patch_dropout(step, self.steps, self.clip.config.image)

    def _pass_of_pixels(self, pixels: Tensor, noise: Tensor | None, dropout: float) -> ForwardPass:
        """pixels (B, 3, H, W) uint8 → unit vectors (B, E); noise (B, patches) says which patches are left out."""

        def embed(pixels: Tensor, noise: Tensor | None = None) -> Tensor:
            with phase("to device"):  # bytes have travelled, and become numbers where they are needed
                normalised = (pixels - self._mean).div_(self._std)
            kept = choose_patches(noise, dropout) if noise is not None and dropout else None
            return F.normalize(self.clip.encode_image(normalised, kept).to(self._dtype), dim=-1)

        inputs = (Rows(pixels),) if noise is None else (Rows(pixels), Rows(noise))
        return ForwardPass(embed, inputs, self.clip.image)

    def _pass_of_ids(self, ids: Tensor) -> ForwardPass:
        """ids (B, T) int64 → unit vectors (B, E)."""

        def embed(ids: Tensor) -> Tensor:
            return F.normalize(self.clip.encode_text(ids).to(self._dtype), dim=-1)

        # A filling caption is an empty one: towers of other libraries would see nothing at all in a row of zeros.
        return ForwardPass(embed, (Rows(ids, self.clip.config.text.end_of_text),), self.clip.text)


def _cached(vectors: Tensor) -> ForwardPass:
    """Of a frozen tower, whose unit vectors (B, E) are known already."""
    return ForwardPass(lambda vectors: vectors, (Rows(vectors),))
