"""Pretrained checkpoints by name: OpenCLIP's list, as facts.

"ViT-B-32/openai" is an architecture and a tag. OpenCLIP lets "ViT-B-32" with OpenAI's weights mean GELU, which is
silently wrong for them; here the tag decides, so that "ViT-B-32/openai" and "ViT-B-32-quickgelu/openai" are the same.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lexel.architectures.config import CLIPConfig
from lexel.architectures.zoo import ARCHITECTURES
from lexel.errors import UsageError, did_you_mean
from lexel.images import Preprocessing

CLIP_TOKENIZER = "openai/clip-vit-base-patch32"
QUICK = "-quickgelu"
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


@dataclass(frozen=True)
class Pretrained:
    """One named checkpoint: what it is, where it lies, and what its weights do not say about themselves."""

    architecture: str  # as the zoo knows it, with the activation that the weights were trained with
    tag: str
    aliases: tuple[str, ...]  # every name that finds it; the first is its own
    repository: str  # on the hub
    weights: tuple[str, ...]  # file names in the repository, the best first; any one will do
    tokenizer: str  # the repository on the hub that has it
    pixels: Mapping[str, object]  # of Preprocessing, without image_size, which is the architecture's
    url: str | None = None  # the same weights outside the hub

    @property
    def name(self) -> str:
        return self.aliases[0]

    @property
    def sha256(self) -> str | None:
        """The hash of what lies at `url`, or its first eight digits, or None where nobody has published it."""
        found = re.search(r"/([0-9a-f]{64})/|-([0-9a-f]{8})\.pth?$", self.url or "")
        return found and (found[1] or found[2])

    @property
    def config(self) -> CLIPConfig:
        return ARCHITECTURES[self.architecture]

    @property
    def activations(self) -> tuple[str, str]:
        """Of image and text tower; "" for a tower whose library knows it by the tower's name."""
        return getattr(self.config.image, "activation", ""), getattr(self.config.text, "activation", "")

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras of Lexel without which it does not load; none where both towers are Lexel's own."""
        needed = {"timm": "timm", "huggingface": "hf"}
        return tuple(needed[tower.kind] for tower in (self.config.image, self.config.text) if tower.kind in needed)

    @property
    def preprocessing(self) -> Preprocessing:
        """As OpenCLIP does it, with which the weights were trained."""
        size = self.config.image.image_size
        return Preprocessing.model_validate({"image_size": size, "convention": "open_clip", **self.pixels})


def find(name: str) -> Pretrained:
    """The checkpoint with this name. Raises UsageError for an unknown one, naming the nearest."""
    known = _by_name()
    architecture, _, tag = name.partition("/")
    tidy = f"{architecture}/{tag.lower().replace('-', '_')}"
    if tidy in known:
        return known[tidy]
    if tags := [alias.partition("/")[2] for alias in known if alias.startswith(f"{architecture}/")]:
        nearest = did_you_mean(tag, tags)
        raise UsageError(
            f'"{name}" names no weights of {architecture}.{nearest}\n'
            f"  Known: {', '.join(f'{architecture}/{tag}' for tag in tags)}"
        )
    nearest = did_you_mean(tidy, known) if tag else did_you_mean(name, [alias.partition("/")[0] for alias in known])
    raise UsageError(
        f'There is no pretrained checkpoint "{name}".{nearest}\n'
        "  A name is ARCHITECTURE/TAG (lexel models list --pretrained shows all) or hf:ORGANISATION/REPOSITORY."
    )


def looks_pretrained(name: str) -> bool:
    """Whether the name starts with an architecture of the list, be its tag known or not: then it is hardly a path."""
    return name.partition("/")[0] in {alias.partition("/")[0] for alias in _by_name()}


@cache
def all_pretrained() -> tuple[Pretrained, ...]:
    """Every checkpoint once, in OpenCLIP's order."""
    facts = tomllib.loads(files("lexel.checkpoints.hub").joinpath("pretrained.toml").read_text(encoding="utf-8"))
    return tuple(
        _read(architecture, tag, {"hub": said} if isinstance(said, str) else said, common, facts["pixels"])
        for architecture, common in facts["checkpoints"].items()
        for tag, said in common["tags"].items()
    )


def _read(architecture: str, tag: str, said: dict, common: dict, pixels: dict[str, dict[str, object]]) -> Pretrained:
    quick = said.get("quick_gelu", False)
    names = (architecture, architecture + QUICK) if quick else (architecture,)
    return Pretrained(
        architecture=names[-1],
        tag=tag,
        aliases=tuple(f"{name}/{tag}" for name in names),
        repository=said["hub"],
        weights=_with_safetensors(said["file"]) if "file" in said else OPEN_CLIP_WEIGHTS,
        tokenizer=common.get("tokenizer", CLIP_TOKENIZER),
        pixels=pixels[said.get("pixels", common.get("pixels", "clip"))],
        url=said.get("url"),
    )


def _with_safetensors(file: str) -> tuple[str, ...]:
    return file.rpartition(".")[0] + ".safetensors", file


@cache
def _by_name() -> dict[str, Pretrained]:
    return {alias: checkpoint for checkpoint in all_pretrained() for alias in checkpoint.aliases}
