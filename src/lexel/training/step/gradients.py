"""One step's loss and gradients. Precision, parts of a batch, compilation and processes are dealt with here; nothing
else in the loop knows of them.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lexel.data.loader import Batch
from lexel.errors import LexelError
from lexel.images import Preprocessing
from lexel.models.clip import CLIP
from lexel.models.config import VisionTransformerConfig
from lexel.models.convnext import ConvNeXt
from lexel.models.text_transformer import TextTransformer
from lexel.models.vision_transformer import VisionTransformer
from lexel.progress import say
from lexel.training.distributed.gradient_sum import GradientSum
from lexel.training.distributed.world import World
from lexel.training.loss.positives import Groups
from lexel.training.loss.sigmoid import sigmoid_loss
from lexel.training.loss.softmax import Contrast, softmax_loss
from lexel.training.metering.phases import phase
from lexel.training.precision import precision_on
from lexel.training.recipe import Recipe
from lexel.training.step.compilation import compile_towers
from lexel.training.step.gradient_cache import backward_in_parts
from lexel.training.step.micro_batch import cut, has_batch_norm, is_out_of_memory, micro_batch_for
from lexel.training.step.seeds import draw_noise, seed_of


@dataclass(frozen=True, slots=True)
class StepLoss:
    """What a step measured before the weights moved, of the batch of all processes."""

    loss: float
    accuracy: float  # share of images whose best text of the batch belongs to them
    logit_scale: float  # factor of the cosines


class Gradients:
    """Computes the loss of a batch and leaves its gradients in the parameters of `clip`.

    They are those of the whole batch of all processes, however many pairs go through the towers at once.
    """

    def __init__(
        self,
        clip: CLIP,
        recipe: Recipe,
        preprocessing: Preprocessing,
        steps: int,
        world: World,
    ) -> None:
        """`clip` is in training mode and takes `steps` steps in all."""
        self.clip = clip
        self.recipe = recipe
        self.steps = steps
        self.world = world
        self.total = GradientSum.of(clip, world)
        self.device = clip.logit_scale.device
        self.dtype = clip.logit_scale.dtype  # float32, but in tests
        self.mean, self.std = (
            255 * torch.tensor(channels, device=self.device, dtype=self.dtype).view(3, 1, 1)
            for channels in (preprocessing.mean, preprocessing.std)
        )
        self.rows = -(-recipe.batch_size // world.size)  # of this process in a batch without bad pictures
        self.micro_batch = self._micro_batch()
        self._checkpoint(recipe.engine.checkpoint_activations)
        if self._count > 1 and world.main:
            say(f"A process takes its {self.rows:,} pairs of a batch in {self._count:,} parts.")
        self.compiled_images, self.compiled_texts = compile_towers(clip, recipe.engine.compile)

    def __call__(self, batch: Batch, step: int) -> StepLoss:
        """Loss of the whole batch: every other sample is a negative, but for those that belong to the same.

        Where memory does not suffice the parts are halved, for this step and those to come.
        """
        try:
            return self._step(batch, step)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._halve_parts()
        return self(batch, step)  # out here, where the error no longer holds what the step had computed

    def _step(self, batch: Batch, step: int) -> StepLoss:
        image, config = self.clip.image, self.clip.config.image
        if isinstance(image, VisionTransformer) and isinstance(config, VisionTransformerConfig):
            image.patch_dropout = self.recipe.ramp.patch_dropout(step, self.steps, config)
        groups = Groups(batch.image_group, batch.label_group, batch.text_group)
        scale = self.clip.logit_scale.exp()

        def contrast(texts: Tensor, images: Tensor) -> Contrast:
            with phase("loss"):
                return self._contrast(images, texts, scale, groups)

        # Texts come first: on a GPU their tower waits for their lengths, and nothing that takes long is asked before.
        towers = (self._embed_texts(batch, step), self._embed_images(batch, step))
        parts = cut(len(batch.keys), self.rows, self.micro_batch)
        last_backward = self.total.overlapping if self.total else nullcontext
        result = backward_in_parts(parts, towers, contrast, last_backward)
        if self.total:
            self.total.finish()
        measured = torch.stack([result.loss.detach(), result.accuracy, scale.detach()]).tolist()
        return StepLoss(*measured)

    def _contrast(self, images: Tensor, texts: Tensor, scale: Tensor, groups: Groups) -> Contrast:
        bias, asked = self.clip.logit_bias, self.recipe.loss
        if asked.kind == "sigmoid":
            assert bias is not None
            return sigmoid_loss(images, texts, scale, bias, groups)
        return softmax_loss(images, texts, scale, groups, bias=bias, label_smoothing=asked.label_smoothing)

    def _embed_images(self, batch: Batch, step: int) -> Callable[[slice], Tensor]:
        """What gives the embeddings (b, E) of rows of the batch, float32 and of unit length."""
        if batch.image_vectors is not None:
            vectors = batch.image_vectors
            return lambda part: self._here(vectors[part])
        assert batch.pixels is not None
        pixels, noise = batch.pixels, self._noise(batch, step)

        def embed(part: slice) -> Tensor:
            with phase("to device"):
                # Bytes travel, and are made numbers where they are needed.
                filled = self._here(self._filled(pixels[part], self.compiled_images))
                filled = (filled - self.mean).div_(self.std)
                kept = None if noise is None else self._here(self._filled(noise[part], self.compiled_images))
            return self._embed(lambda: self.clip.encode_image(filled, kept), batch, step, part)

        return embed

    def _embed_texts(self, batch: Batch, step: int) -> Callable[[slice], Tensor]:
        """What gives the embeddings (b, E) of rows of the batch, float32 and of unit length."""
        if batch.text_vectors is not None:
            vectors = batch.text_vectors
            return lambda part: self._here(vectors[part])
        assert batch.ids is not None
        ids = batch.ids

        def embed(part: slice) -> Tensor:
            with phase("to device"):
                # An empty caption is its end; other towers than ours would see nothing at all in a row of zeros.
                filled = self._here(self._filled(ids[part], self.compiled_texts, self.clip.config.text.end_of_text))
            return self._embed(lambda: self.clip.encode_text(filled), batch, step, part)

        return embed

    def _embed(self, encode: Callable[[], Tensor], batch: Batch, step: int, part: slice) -> Tensor:
        """Unit vectors in float32 of the rows in `part`, whatever the tower runs in."""
        rows = part.stop - part.start
        first = int(batch.places[part.start]) if rows else -1
        torch.manual_seed(seed_of(self.recipe.seed, step, first))  # for the dropout of other libraries' towers
        with self._precision():
            return F.normalize(encode()[:rows].to(self.dtype), dim=-1)

    def _filled(self, rows: Tensor, compiled: bool, value: float = 0) -> Tensor:
        """`rows` and as many more as a compiled tower wants, which takes one number of them only. Any wants one."""
        wanted = -(-self.rows // self._count) if compiled else 1
        if len(rows) >= wanted:
            return rows
        return torch.cat([rows, rows.new_full((wanted - len(rows), *rows.shape[1:]), value)])

    def _noise(self, batch: Batch, step: int) -> Tensor | None:
        """What decides which patches are dropped, (b, patches); None where none are."""
        tower, pixels = self.clip.image, batch.pixels
        if pixels is None or not (isinstance(tower, VisionTransformer) and tower.training and tower.patch_dropout):
            return None
        patches = tower.patches(pixels.shape[-1])
        return draw_noise(self.recipe.seed, step, self.recipe.batch_size, patches, batch.places)

    def _here(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=True)

    def _precision(self) -> torch.autocast:
        lower = precision_on(self.device, self.recipe.precision) == torch.bfloat16
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=lower)

    @property
    def _count(self) -> int:
        """Parts that a batch is taken in, the same on every process."""
        return -(-self.rows // self.micro_batch)

    def _micro_batch(self) -> int:
        fitting = self.recipe.micro_batch
        if fitting == "auto":
            again = self.recipe.engine.checkpoint_activations
            fitting = micro_batch_for(self.clip, self._precision, self.rows, recomputed=again)
        return self.world.least(min(fitting, self.rows))

    def _checkpoint(self, wanted: bool) -> None:
        """Let the towers keep little of their activations, if that is `wanted`, and say which of them cannot."""
        for name, tower in (("image", self.clip.image), ("text", self.clip.text)):
            if isinstance(tower, VisionTransformer | ConvNeXt | TextTransformer):
                tower.checkpoint_activations = wanted
            elif wanted and tower.training:
                kind = getattr(self.clip.config, name).kind
                say(f"engine.checkpoint_activations: the {name} tower ({kind}) keeps its activations all the same.")

    def _halve_parts(self) -> None:
        """Give up what the step has computed and take less at once from now on. Raises LexelError if that cannot be."""
        alone = self.world.size == 1  # others would wait for what this process has already done
        if self.micro_batch == 1 or not alone or has_batch_norm(self.clip):
            raise LexelError(
                f"There is not enough memory for {self.micro_batch:,} pairs at once on {self.device}.\n"
                + ("Set micro_batch to half of that." if not alone else "Take a smaller model, pictures or batch_size.")
            )
        self.clip.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.micro_batch = -(-self.micro_batch // 2)
        say(f"Not enough memory: from now on {self.micro_batch:,} pairs go through the towers at once.")
