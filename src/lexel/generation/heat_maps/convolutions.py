"""Heat maps of convolutional towers: Grad-CAM (Selvaraju et al. 2017), smoothed by noise (SmoothGrad, Smilkov 2017).

The mean over cells of ∂cosine/∂a says how much each channel speaks for the text; the map is the positive part of the
channels weighted so. It is taken at the deepest stage that still has CELLS cells a side: for 224 pixels that is the
last, for the small towers of Lexel's own an earlier one, since the last has too few cells to point with. One gradient
is noisy, so the map is the mean over copies of the picture with seeded noise (docs/generation.md has what that gains).
"""

import torch
from torch import Tensor, nn

from lexel.models.convnext import ConvNeXt
from lexel.models.resnet import ModifiedResNet

CELLS = 7  # a side
COPIES = 16
NOISE = 0.3  # standard deviation, of normalised pixels
SEED = 0


def convolution_maps(tower: ModifiedResNet | ConvNeXt, pixels: Tensor, texts: Tensor) -> Tensor:
    """(1, 3, H, W) normalised pixels and (N, E) unit vectors of texts → (N, h, w), not below 0."""
    noise = torch.randn(COPIES, *pixels.shape[1:], generator=torch.Generator().manual_seed(SEED))
    copies = pixels + NOISE * noise.to(pixels)
    cells: list[Tensor] = []

    def keep(_: nn.Module, __: tuple[Tensor], output: Tensor) -> None:
        cells.append(output)

    hook = pointing_stage(tower, pixels).register_forward_hook(keep)
    try:
        with torch.enable_grad():
            vectors = nn.functional.normalize(tower(copies.requires_grad_()).float(), dim=-1)
            gradients = [torch.autograd.grad((vectors @ text).sum(), cells, retain_graph=True)[0] for text in texts]
    finally:
        hook.remove()
    return torch.stack([grad_cam(cells[0].detach(), gradient).mean(0) for gradient in gradients])


def grad_cam(cells: Tensor, gradients: Tensor) -> Tensor:
    """(B, C, h, w) activations and their gradients → (B, h, w)."""
    return (gradients.mean(dim=(2, 3), keepdim=True) * cells).sum(1).relu()


def pointing_stage(tower: ModifiedResNet | ConvNeXt, pixels: Tensor) -> nn.Module:
    """The deepest stage with CELLS cells a side; the first where none has so many."""
    found = tower.stages[0]
    with torch.no_grad():
        x = tower.stem(pixels)
        for stage in tower.stages:
            x = stage(x)
            if x.shape[-1] >= CELLS:
                found = stage
    return found
