"""How prior and decoder learn: the loss of each step, from pictures and vectors that were computed once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lexel.batches import cores, spread
from lexel.data.pairs import Pair
from lexel.encoder import Encoder
from lexel.encoder_inputs import as_picture
from lexel.files import new_file
from lexel.generation.learning.batches import RowOrder, numpy_random, torch_random
from lexel.generation.learning.embeddings import EmbeddedPairs
from lexel.generation.pictures.decoder import Decoder, as_points
from lexel.generation.pictures.flow import flow_loss, on_the_line, times_between
from lexel.generation.pictures.prior import Prior
from lexel.images import fit
from lexel.progress import track


@dataclass(frozen=True)
class StepNoise:
    """What is random in a step beside the rows: the same on every device."""

    times: Tensor  # (B,)
    noise: Tensor  # as the data
    kept: Tensor  # (B,) bool: where the condition is shown
    rest: torch.Generator


def _step_noise(seed: int, step: int, shape: torch.Size, dropped: float, device: torch.device) -> StepNoise:
    random = torch_random(seed, step, "flow")
    times = times_between(shape[0], random)
    kept = torch.rand(shape[0], generator=random) >= dropped
    noise = torch.randn(shape, generator=random)
    return StepNoise(times.to(device), noise.to(device), kept.to(device), random)


class PriorLearner:
    """The prior: in each step a picture's vector and one of its texts at random."""

    def __init__(self, prior: Prior, data: EmbeddedPairs, batch_size: int, seed: int) -> None:
        self.model, self.seed = prior, seed
        self._pictures, self._texts = torch.from_numpy(data.pictures), torch.from_numpy(data.text_vectors)
        self._counts = np.array([len(rows) for rows in data.texts_of])
        self._starts = np.concatenate([[0], np.cumsum(self._counts)[:-1]])
        self._text_rows = np.concatenate([np.asarray(rows) for rows in data.texts_of])
        self._order = RowOrder(len(data.pairs), batch_size, seed)
        prior.pictures.fit(data.pictures)
        prior.texts.fit(data.text_vectors)

    def loss(self, step: int) -> Tensor:
        """The mean squared error of the velocities in step `step`."""
        rows, device = self._order.rows(step), self.model.no_text.device
        chosen = numpy_random(self.seed, step, "texts").random(len(rows))
        places = self._starts[rows] + (chosen * self._counts[rows]).astype(np.int64)
        texts = self._texts[self._text_rows[places]].to(device)
        pictures = self.model.pictures(self._pictures[rows].to(device))
        random = _step_noise(self.seed, step, pictures.shape, self.model.settings.dropped, device)
        points = on_the_line(random.noise, pictures, random.times)
        return flow_loss(self.model(points, random.times, texts, random.kept), random.noise, pictures)


class DecoderLearner:
    """The decoder: in each step pictures and their vectors."""

    def __init__(self, decoder: Decoder, pictures: Tensor, vectors: np.ndarray, batch_size: int, seed: int) -> None:
        self.model, self.seed = decoder, seed
        self._pictures, self._vectors = pictures, torch.from_numpy(vectors)
        self._order = RowOrder(len(vectors), batch_size, seed)
        decoder.vectors.fit(vectors)

    def loss(self, step: int) -> Tensor:
        """The mean squared error of the velocities in step `step`."""
        rows, device, settings = self._order.rows(step), self.model.no_vector.device, self.model.settings
        vectors = self._vectors[rows].to(device)
        pixels = as_points(self._pictures[rows].to(device))
        random = _step_noise(self.seed, step, pixels.shape, settings.dropped, device)
        blur = settings.blurred * torch.randn(vectors.shape, generator=random.rest).to(device)
        points = on_the_line(random.noise, pixels, random.times)
        return flow_loss(self.model(points, random.times, vectors, random.kept, blur), random.noise, pixels)


def pictures_at(size: int, encoder: Encoder, pairs: list[Pair], kept: Path, identity: str) -> Tensor:
    """The pictures as uint8 (N, 3, size, size), cut as the encoder sees them; kept in the file `kept` for another call.

    `identity` says which pictures they are.
    """
    mark = f"{identity} {size}"
    found = _read(kept, mark)
    if found is not None:
        return found
    geometry = encoder.preprocessing.model_copy(update={"image_size": size})

    def shrink(pair: Pair) -> np.ndarray:
        return fit(as_picture(pair.picture, geometry), geometry)

    shrunk = spread(shrink, pairs, cores())
    pictures = torch.from_numpy(np.stack(list(track(shrunk, f"Shrinking pictures to {size} pixels", len(pairs)))))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with new_file(kept) as temporary:
        save_file({"pictures": pictures}, temporary, {"mark": mark})
    return pictures


def _read(path: Path, mark: str) -> Tensor | None:
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor("pictures") if (file.metadata() or {}).get("mark") == mark else None
    except (OSError, SafetensorError):
        return None
