"""CoCa as a captioner: its own decoder says what its own image tower sees."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from lexel.architectures.config import TextTransformerConfig
from lexel.checkpoints.formats.read import CONFIGS, stored_weights
from lexel.checkpoints.hub.locate import is_checkpoint_name, locate, pull_showing_progress
from lexel.encoder import Encoder
from lexel.encoder_inputs import ImageLike, check_images
from lexel.errors import BadImageError, ModelError, UsageError
from lexel.files import read_json_object
from lexel.generation.captions.candidates import CaptionedPicture, Least, captioned
from lexel.generation.captions.captioner import Captioner
from lexel.generation.captions.coca import CoCaDecoder, CoCaStepper, look_at, read_coca_decoder
from lexel.generation.captions.folder import DESCRIPTION
from lexel.generation.captions.search import SearchSettings, Vocabulary, beam_search, sample
from lexel.loading import load
from lexel.models.text_transformer import NO_TOKEN
from lexel.progress import track
from lexel.unit_vectors import unit

PICTURES_AT_ONCE = 16
MIN_PICTURES_FOR_PROGRESS = 32
LONGEST, SHORTEST = 28, 4  # tokens of a caption, as OpenCLIP generates them


class CoCaCaptioner:
    """Captions pictures with the decoder that a CoCa checkpoint brings. Get one from `CoCaCaptioner.load(MODEL)`."""

    def __init__(self, encoder: Encoder, decoder: CoCaDecoder) -> None:
        """Raises ModelError where the towers are not CoCa's."""
        self.encoder, self.tokenizer = encoder, encoder.tokenizer
        self.device = encoder.clip.logit_scale.device
        self.stepper = CoCaStepper(decoder.to(self.device), encoder.clip)
        first, *_, end = self.tokenizer.encode(["a"])[0]
        longest = min(LONGEST, encoder.tokenizer.context_length - 1)
        self.vocabulary = Vocabulary(first, end, longest=longest, never=(NO_TOKEN,), shortest=SHORTEST)

    @classmethod
    def load(cls, model: str | Path, device: str | None = None) -> Self:
        """A checkpoint of OpenCLIP: a folder, a weight file, or a name such as coca_ViT-B-32/laion2b_s13b_b90k.

        Raises ModelError where it has no decoder, and what `lexel.load` raises.
        """
        path = Path(model).expanduser()
        named = path
        if not path.exists() and is_checkpoint_name(str(model)):
            named = (locate(str(model)) or pull_showing_progress(str(model))).weights
        encoder = load(model, device=device)
        file, stored = stored_weights(named)
        beside = file.with_name(CONFIGS["open_clip"])
        content = read_json_object(beside) if beside.is_file() else None
        text = encoder.clip.config.text
        if not isinstance(text, TextTransformerConfig):
            raise ModelError(f"{model} has no decoder: it is no CoCa.")
        configuration: dict[str, Any] | None = content.get("model_cfg", content) if content else None
        return cls(encoder, read_coca_decoder(stored.arrays, configuration, text.activation, str(model)))

    def caption(
        self, images: Iterable[ImageLike], settings: SearchSettings | None = None, least: Least = "possible"
    ) -> list[str | None]:
        """A sentence for each image, or None where none fits. Raises BadImageError."""
        found = self.candidates(check_images(images), settings, least)
        for picture in found:
            if isinstance(picture, BadImageError):
                raise picture
        return [picture.caption for picture in found if not isinstance(picture, BadImageError)]

    def candidates(
        self, images: Sequence[ImageLike], settings: SearchSettings | None = None, least: Least = "possible"
    ) -> list[CaptionedPicture | BadImageError]:
        """For each image the sentences that were found, ordered by CLIP; the reason where it cannot be read."""
        said = self._candidates(images, settings or SearchSettings(), least)
        many = len(images) >= MIN_PICTURES_FOR_PROGRESS
        return list(track(said, "Captioning", len(images)) if many else said)

    def _candidates(
        self, images: Sequence[ImageLike], settings: SearchSettings, least: Least
    ) -> Iterator[CaptionedPicture | BadImageError]:
        for start in range(0, len(images), PICTURES_AT_ONCE):
            pixels: list[np.ndarray | BadImageError] = []
            for image in images[start : start + PICTURES_AT_ONCE]:
                try:
                    pixels.append(self.encoder.preprocess(image))
                except BadImageError as error:
                    pixels.append(error)
            readable = [one for one in pixels if not isinstance(one, BadImageError)]
            said = iter(self._describe(np.stack(readable), settings, least, start) if readable else [])
            for one in pixels:
                yield one if isinstance(one, BadImageError) else next(said)

    @torch.no_grad()
    def _describe(
        self, pixels: np.ndarray, settings: SearchSettings, least: Least, first: int
    ) -> list[CaptionedPicture]:
        vectors, pictures = look_at(self.encoder.clip, torch.from_numpy(pixels).to(self.device))
        found = (
            sample(self.stepper, pictures, self.vocabulary, settings, range(first, first + len(pictures)))
            if settings.samples
            else beam_search(self.stepper, pictures, self.vocabulary, settings.beams, settings.length_penalty)
        )
        return captioned(self.encoder, self.tokenizer, unit(vectors.float().cpu().numpy()), found, least)


def open_captioner(name: str | Path, model: str | None = None, device: str | None = None) -> Captioner | CoCaCaptioner:
    """A captioner's folder, or a CoCa checkpoint. Raises UsageError or ModelError where it is neither."""
    path = Path(name).expanduser()
    if (path / DESCRIPTION).is_file() or not (_holds_coca(path) if path.exists() else is_checkpoint_name(str(name))):
        return Captioner.load(path, model, device)
    if model is not None:
        raise UsageError(f"{name} brings its own towers: leave out --model.")
    return CoCaCaptioner.load(name, device)


def _holds_coca(path: Path) -> bool:
    """A weight file may; a folder does where its configuration says so."""
    if path.is_file():
        return True
    configuration = path / CONFIGS["open_clip"]
    if not configuration.is_file():
        return False
    content = read_json_object(configuration)
    return "multimodal_cfg" in content.get("model_cfg", content)
