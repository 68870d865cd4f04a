"""Where a model looks: a picture and texts → heat maps in the picture's own coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from lexel.encoder import Encoder
from lexel.encoder_inputs import ImageLike, as_picture, check_texts
from lexel.errors import UsageError
from lexel.generation.heat_maps.geometry import SeenArea, lay_over, seen_area
from lexel.generation.heat_maps.occlusion import occlusion_maps
from lexel.generation.heat_maps.words import WordShare, word_shares
from lexel.images import fit, normalize
from lexel.unit_vectors import check_finite

if TYPE_CHECKING:
    from lexel.models.convnext import ConvNeXt
    from lexel.models.resnet import ModifiedResNet
    from lexel.models.vision_transformer import VisionTransformer

Method = Literal["attention", "convolutions", "occlusion"]


@dataclass(frozen=True, slots=True)
class ExplainedText:
    """What a model sees of one text in a picture."""

    text: str
    cosine: float
    match: float | None  # the calibrated probability that they belong together, where the model has a calibration
    heat: np.ndarray  # (H, W) float32 in 0..1, in the picture's coordinates; the largest is 1, or all are 0
    words: list[WordShare]

    @property
    def peak(self) -> tuple[int, int] | None:
        """(x, y) of the strongest place, in pixels; None where nothing raises the cosine."""
        if not self.heat.any():
            return None
        rows, columns = np.nonzero(self.heat >= self.heat.max() * (1 - 1e-6))
        return int(columns.mean()), int(rows.mean())

    def summary(self, width: int, height: int) -> str:
        """The numbers in words, for a picture of this size."""
        words = f"cosine {self.cosine:.3f}" + ("" if self.match is None else f", match {self.match:.0%}")
        if self.peak is None:
            return f"{words}; nothing in the picture raises it"
        x, y = self.peak
        return f"{words}; strongest at ({x}, {y}) of {width} × {height} pixels"

    def as_json(self) -> dict[str, Any]:
        """All but the map itself."""
        return {
            "text": self.text,
            "cosine": self.cosine,
            "match": self.match,
            "peak": self.peak,
            "words": [{"word": word.word, "share": word.share, "effect": word.effect} for word in self.words],
        }


@dataclass(frozen=True, slots=True)
class ExplainedPicture:
    """A picture and what a model sees in it of each text."""

    image: Image.Image  # RGB, upright
    method: Method
    texts: list[ExplainedText]


def explain(encoder: Encoder, image: ImageLike, texts: Sequence[str]) -> np.ndarray:
    """Where the picture shows each of the N texts: heat maps (N, H, W), float32 in 0..1, in the picture's coordinates.

    A map says which parts raise the cosine of picture and text; it is scaled so that its largest value is 1, and is 0
    where the model does not look (what the preprocessing crops) or nothing raises the cosine. Vision Transformers are
    explained by gradient times attention (Chefer et al. 2021); all others, and exported models, by occlusion (Zeiler
    and Fergus 2014), for convolutional towers joined with smoothed Grad-CAM (Selvaraju et al. 2017). Raises
    BadImageError, and UsageError for an empty text.

    Example:
        encoder = lexel.load("runs/shop/model")
        heat = lexel.explain(encoder, "photo.jpg", ["a dog", "grass"])      # (2, H, W)
    """
    return np.stack([explained.heat for explained in explain_texts(encoder, image, texts, words=False).texts])


def explain_texts(encoder: Encoder, image: ImageLike, texts: Sequence[str], *, words: bool = True) -> ExplainedPicture:
    """The same with cosines and, unless `words` is false, the share of each word of a text."""
    texts = check_wanted(texts)
    picture = as_picture(image, encoder.preprocessing)
    pixels = normalize(fit(picture, encoder.preprocessing), encoder.preprocessing)
    vector = encoder.embed_images([picture])[0]
    text_vectors = encoder.embed_texts(texts)
    method, maps = _maps(encoder, pixels, text_vectors)
    check_finite(maps.reshape(len(maps), -1) + 1, [f'the map of "{text}"' for text in texts], encoder.name)
    area = seen_area(*picture.size, encoder.preprocessing)
    cosines = text_vectors @ vector
    return ExplainedPicture(
        picture,
        method,
        [
            ExplainedText(
                text,
                float(cosine),
                None if encoder.calibration is None else float(encoder.calibration.probability(cosine)),
                scaled(lay_over(heat, area, *picture.size)),
                word_shares(encoder, vector, text) if words else [],
            )
            for text, cosine, heat in zip(texts, cosines, maps, strict=True)
        ],
    )


def check_wanted(texts: Sequence[str]) -> list[str]:
    """The texts to look for as a list. Raises UsageError where there is none, or one is empty or no str."""
    texts = check_texts(texts)
    if not texts:
        raise UsageError("No texts were given. Give one or more texts to look for.")
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            raise UsageError(f"Text {number} of {len(texts)} is empty: it names nothing that could be looked for.")
    return texts


def scaled(heat: np.ndarray) -> np.ndarray:
    """The map with its largest value 1; all 0 where there is none above 0."""
    largest = float(heat.max())
    return heat / largest if largest > 0 else np.zeros_like(heat)


def _maps(encoder: Encoder, pixels: np.ndarray, texts: np.ndarray) -> tuple[Method, np.ndarray]:
    """(3, H, W) normalised pixels and (N, D) unit vectors → the method that fits the image tower, and (N, h, w)."""
    tower = _differentiable_tower(encoder)
    if tower is None:
        return "occlusion", occlusion_maps(encoder, pixels, texts)
    import torch

    from lexel.generation.heat_maps.attention import attention_maps
    from lexel.generation.heat_maps.convolutions import convolution_maps
    from lexel.models.vision_transformer import VisionTransformer

    device = next(tower.parameters()).device
    batch, directions = torch.from_numpy(pixels[None]).to(device), torch.from_numpy(texts).to(device)
    if isinstance(tower, VisionTransformer):
        return "attention", attention_maps(tower, batch, directions).cpu().numpy()
    cells = convolution_maps(tower, batch, directions).cpu().numpy()
    return "convolutions", agreement(cells, occlusion_maps(encoder, pixels, texts))


def agreement(cells: np.ndarray, falls: np.ndarray) -> np.ndarray:
    """Where both say so: the geometric means of Grad-CAM (N, h, w) and occlusion (N, H, W). → (N, H, W)

    Each errs elsewhere: of pointings at drawn scenes 80 % and 82 % hit, and 90 % of these means (docs/generation.md).
    """
    height, width = falls.shape[1:]
    whole = SeenArea(0.0, 0.0, float(width), float(height))
    fine = np.stack([scaled(lay_over(one, whole, width, height)) for one in cells])
    return np.sqrt(fine * np.stack([scaled(one) for one in falls]))


def _differentiable_tower(encoder: Encoder) -> "VisionTransformer | ModifiedResNet | ConvNeXt | None":
    """The image tower, where its gradients can be had: it runs on torch in float32, and its layers are Lexel's."""
    clip = getattr(encoder.runtime, "clip", None)  # the torch runtime alone has one
    if clip is None or encoder.runtime.number_format != "float32":
        return None
    from lexel.models.convnext import ConvNeXt
    from lexel.models.resnet import ModifiedResNet
    from lexel.models.vision_transformer import VisionTransformer

    tower = clip.image
    return tower if isinstance(tower, VisionTransformer | ModifiedResNet | ConvNeXt) else None
