"""One step's loss and gradients. Precision and device are decided here; nothing else in the loop knows of them."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from lexel.data.loader import Batch
from lexel.images import Preprocessing
from lexel.models.clip import CLIP
from lexel.models.config import CLIPConfig, VisionTransformerConfig
from lexel.models.resnet import STRIDE
from lexel.training.loss import belongings, contrastive_loss

FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.MATH]


@dataclass(frozen=True, slots=True)
class StepLoss:
    """What a step measured before the weights moved."""

    loss: float
    accuracy: float  # share of images whose best text of the batch belongs to them
    logit_scale: float  # factor of the cosines


class Gradients:
    """Computes the loss of a batch and leaves its gradients in the parameters of `clip`."""

    def __init__(self, clip: CLIP, preprocessing: Preprocessing, precision: str) -> None:
        self.clip = clip
        self.device = clip.logit_scale.device
        self.autocast = torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=_resolve(precision, self.device) == "bfloat16"
        )
        # The fused kernel's backward pass is slow for short rows on a CPU (docs/experiments.md).
        plain_is_faster = self.device.type == "cpu" and _longest_row(clip.config) <= 64
        self.attention = [SDPBackend.MATH] if plain_is_faster else FUSED
        self.mean = torch.tensor(preprocessing.mean, device=self.device).view(3, 1, 1) * 255
        self.std = torch.tensor(preprocessing.std, device=self.device).view(3, 1, 1) * 255

    def __call__(self, batch: Batch) -> StepLoss:
        """Loss of the whole batch: every other sample is a negative, but for those that belong to the same."""
        pixels = (self._here(batch.pixels) - self.mean) / self.std
        groups = (batch.image_group, batch.label_group, batch.text_group)
        belong = belongings(*(self._here(group) for group in groups))
        with self.autocast, sdpa_kernel(self.attention):
            images, texts = self.clip(pixels, self._here(batch.ids))
        scale = self.clip.logit_scale.exp()
        contrast = contrastive_loss(images, texts, scale, belong, self.clip.logit_bias)
        contrast.loss.backward()
        return StepLoss(contrast.loss.item(), contrast.accuracy.item(), scale.item())

    def _here(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=True)


def _longest_row(config: CLIPConfig) -> int:
    """Tokens that attention sees at most, in either tower."""
    cell = config.image.patch_size if isinstance(config.image, VisionTransformerConfig) else STRIDE
    return max(config.text.context_length, (config.image.image_size // cell) ** 2 + 1)


def _resolve(precision: str, device: torch.device) -> str:
    """ "auto" is bfloat16 where the hardware multiplies it natively."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported() and _multiplies_bf16()
    return "bfloat16" if native else "float32"


def _multiplies_bf16() -> bool:
    # oneDNN says yes to bf16 on any AVX-512; only with these instructions is it faster than float32.
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
