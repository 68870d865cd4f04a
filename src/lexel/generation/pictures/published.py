"""Published decoders: local folders of `diffusers`' unCLIP kind, which draw the picture vectors of their own CLIP.

Known are UnCLIPImageVariationPipeline (Karlo) and StableUnCLIPImg2ImgPipeline (Stable unCLIP). Only safetensors are
read, nothing is fetched, and no code of the folder is run. Their vectors keep their length, which the decoders were
trained with.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lexel.encoder_inputs import ImageLike, as_picture
from lexel.errors import ModelError, UsageError
from lexel.extras import missing_library
from lexel.files import read_json_object
from lexel.generation.pictures.parts import BATCH
from lexel.images import Preprocessing
from lexel.runtimes.torch import choose_device
from lexel.training.step.seeds import seed_of

INDEX = "model_index.json"
SAFE = {"local_files_only": True, "use_safetensors": True}
MOST_REASON = 200  # characters, of what `diffusers` says
UNCLIP, STABLE_UNCLIP = "UnCLIPImageVariationPipeline", "StableUnCLIPImg2ImgPipeline"


def is_published(folder: Path) -> bool:
    """Whether the folder is one of `diffusers`."""
    return (folder / INDEX).is_file()


def read_published(folder: Path, device: str | None) -> tuple["PublishedSpace", None, "PublishedDecoder"]:
    """CLIP and decoder of a `diffusers` folder; there is no prior. Raises ModelError for another kind or damage."""
    kind = read_json_object(folder / INDEX).get("_class_name")
    if kind not in (UNCLIP, STABLE_UNCLIP):
        raise ModelError(f"{folder} is a {kind}; {UNCLIP} and {STABLE_UNCLIP} draw from a picture's vector.")
    pipeline = _read_pipeline(folder, kind).to(choose_device(device))
    pipeline.set_progress_bar_config(disable=True)
    pipeline.image_encoder.eval()
    return PublishedSpace(folder.name, pipeline, kind), None, PublishedDecoder(pipeline, kind)


def _read_pipeline(folder: Path, kind: str) -> Any:
    try:
        import diffusers  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise missing_library("A published decoder", (error.name or "diffusers").partition(".")[0], error) from None
    with _quiet():
        try:
            return _read_unclip(folder) if kind == UNCLIP else _read_stable_unclip(folder)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())[:MOST_REASON]
            raise ModelError(f"{folder} cannot be read as {kind}: {reason}") from None


def _read_stable_unclip(folder: Path) -> Any:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_unclip_img2img import StableUnCLIPImg2ImgPipeline

    return StableUnCLIPImg2ImgPipeline.from_pretrained(str(folder), low_cpu_mem_usage=False, **SAFE)


def _read_unclip(folder: Path) -> Any:
    """Part by part, as `diffusers` does not find all classes any more under the names that such folders have."""
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.pipelines.deprecated.unclip.pipeline_unclip_image_variation import UnCLIPImageVariationPipeline
    from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel
    from diffusers.schedulers.scheduling_unclip import UnCLIPScheduler
    from transformers import (
        CLIPImageProcessor,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
        CLIPVisionModelWithProjection,
    )

    # Not `diffusers`' quick way of making a model, which needs another library.
    models = {
        "decoder": UNet2DConditionModel,
        "text_proj": UnCLIPTextProjModel,
        "super_res_first": UNet2DModel,
        "super_res_last": UNet2DModel,
    }
    towers = {"text_encoder": CLIPTextModelWithProjection, "image_encoder": CLIPVisionModelWithProjection}
    rest = {
        "tokenizer": CLIPTokenizer,
        "feature_extractor": CLIPImageProcessor,
        "decoder_scheduler": UnCLIPScheduler,
        "super_res_scheduler": UnCLIPScheduler,
    }
    parts = {
        **{name: kind.from_pretrained(folder / name, low_cpu_mem_usage=False, **SAFE) for name, kind in models.items()},
        **{name: kind.from_pretrained(folder / name, **SAFE) for name, kind in towers.items()},
        **{name: kind.from_pretrained(folder / name, local_files_only=True) for name, kind in rest.items()},
    }
    return UnCLIPImageVariationPipeline(**parts)


@contextmanager
def _quiet() -> Iterator[None]:
    """Within the block both libraries say nothing of deprecated names, missing speed-ups, and their progress."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    levels = of_diffusers.get_verbosity(), of_transformers.get_verbosity()
    of_diffusers.set_verbosity_error()
    of_transformers.set_verbosity_error()
    of_diffusers.disable_progress_bar()
    try:
        yield
    finally:
        of_diffusers.set_verbosity(levels[0])
        of_transformers.set_verbosity(levels[1])
        of_diffusers.enable_progress_bar()


class PublishedSpace:
    """The CLIP that comes with a published decoder; its picture vectors are as long as its tower makes them."""

    def __init__(self, name: str, pipeline: Any, kind: str) -> None:
        self.name, self._pipeline = name, pipeline
        self._has_texts = kind == UNCLIP  # the texts of Stable unCLIP's encoder are of another space

    @property
    def dimensions(self) -> int:
        """D, the length of a vector."""
        return self._pipeline.image_encoder.config.projection_dim

    @torch.no_grad()
    def embed_images(self, images: Sequence[ImageLike]) -> np.ndarray:
        """(N, D) vectors, float32. Raises BadImageError."""
        encoder = self._pipeline.image_encoder
        found = []
        for start in range(0, len(images), BATCH):
            pictures = [as_picture(image, Preprocessing()).convert("RGB") for image in images[start : start + BATCH]]
            pixels = self._pipeline.feature_extractor(images=pictures, return_tensors="pt").pixel_values
            found.append(encoder(pixels.to(encoder.device, encoder.dtype)).image_embeds.float().cpu())
        return torch.cat(found).numpy()

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) vectors, float32; texts are cut at the context. Raises UsageError where there is no text tower."""
        if not self._has_texts:
            raise UsageError(
                f"{self.name} has no text tower in the space of its picture vectors, so it takes no words."
            )
        encoder, tokenizer = self._pipeline.text_encoder, self._pipeline.tokenizer
        ids = tokenizer(list(texts), padding="max_length", truncation=True, return_tensors="pt")
        found = encoder(ids.input_ids.to(encoder.device), attention_mask=ids.attention_mask.to(encoder.device))
        return found.text_embeds.float().cpu().numpy()


class PublishedDecoder:
    """A `diffusers` pipeline that takes picture vectors."""

    def __init__(self, pipeline: Any, kind: str) -> None:
        self._pipeline, self._kind = pipeline, kind

    @property
    def size(self) -> int:
        """Pixels along a side."""
        if self._kind == UNCLIP:
            return self._pipeline.super_res_last.config.sample_size
        return self._pipeline.unet.config.sample_size * self._pipeline.vae_scale_factor

    def decode(
        self, vectors: np.ndarray, *, seed: int, numbers: Sequence[int], steps: int | None, guidance: float | None
    ) -> np.ndarray:
        """See `VectorDecoder`; `steps` and `guidance` default to the pipeline's own."""
        found = [
            self._decoded(vectors[start : start + BATCH], seed, numbers[start : start + BATCH], steps, guidance)
            for start in range(0, len(vectors), BATCH)
        ]
        return np.concatenate(found)

    def redraw(
        self, vectors: np.ndarray, picture: np.ndarray, *, steps: int | None, guidance: float | None
    ) -> np.ndarray:
        """See `VectorDecoder`. The way back to a picture's noise is not known: all come from the same noise instead."""
        return self.decode(vectors, seed=0, numbers=[0] * len(vectors), steps=steps, guidance=guidance)

    @torch.no_grad()
    def _decoded(
        self, vectors: np.ndarray, seed: int, numbers: Sequence[int], steps: int | None, guidance: float | None
    ) -> np.ndarray:
        given = torch.from_numpy(vectors).to(self._pipeline.device, self._pipeline.image_encoder.dtype)
        generators = [torch.Generator().manual_seed(seed_of(seed, "pixels", number)) for number in numbers]
        if self._kind == UNCLIP:
            chosen = {"decoder_num_inference_steps": steps, "decoder_guidance_scale": guidance}
            wanted = {"image_embeddings": given}
        else:
            chosen = {"num_inference_steps": steps, "guidance_scale": guidance}
            wanted = {"image_embeds": given, "prompt": [""] * len(vectors)}
        chosen = {name: value for name, value in chosen.items() if value is not None}
        pixels = self._pipeline(generator=generators, output_type="np", **wanted, **chosen).images
        return (np.asarray(pixels).transpose(0, 3, 1, 2) * 255).round().astype(np.uint8)
