"""What the shapes of its tensors alone say about a model, as OpenAI published them and OpenCLIP does.

Widths, depths and sizes show. Heads and the activation do not: the number of heads is taken from the known
architecture of these shapes, or by OpenAI's rule of 64 channels a head; the activation nobody may guess.
"""

from collections.abc import Mapping

import numpy as np

from lexel.architectures.config import (
    Activation,
    CLIPConfig,
    ImageConfig,
    ResNetConfig,
    TextTransformerConfig,
    VisionTransformerConfig,
)
from lexel.architectures.zoo import ARCHITECTURES
from lexel.errors import UsageError

HEAD_WIDTH = 64
OPENAI_MARKS = {"input_resolution", "context_length", "vocab_size"}  # that OpenAI stores beside the weights


def known_activation(arrays: Mapping[str, np.ndarray], program: str) -> Activation | None:
    """The activation, where the file itself says it: OpenAI's do, and archives by their program (source code)."""
    if arrays.keys() >= OPENAI_MARKS:
        return "quick_gelu"
    plain, quick = "gelu(" in program, "sigmoid(" in program  # QuickGELU is x · sigmoid(1.702 x)
    return None if plain == quick else "gelu" if plain else "quick_gelu"


def infer_architecture(arrays: Mapping[str, np.ndarray], program: str, where: str) -> CLIPConfig:
    """The architecture with these shapes; its activation means nothing.

    `program` is that of a TorchScript archive, "" for other files; `where` names the file. Raises UsageError where the
    shapes do not say.
    """
    try:
        inferred = _infer(arrays)
    except (KeyError, IndexError, ValueError, TypeError, StopIteration):
        raise UsageError(
            f"{where} does not say its architecture by its tensors.\n"
            f"  Put its open_clip_config.json beside it, or say which it is: {say_it(where, '--architecture ViT-B-32')}"
        ) from None
    facts = _facts(inferred)
    found = {name: config for name, config in ARCHITECTURES.items() if _facts(config) == facts}
    choices = {with_activation(config, "gelu"): name for name, config in found.items()}
    if len(choices) > 1:
        raise UsageError(
            f"{where} may be any of {', '.join(found)}.\n"
            f"  Say which it is: {say_it(where, f'--architecture {next(iter(found))}')}"
        )
    if not choices and not (program or arrays.keys() >= OPENAI_MARKS):
        raise UsageError(
            f"{where} has the shapes of no architecture that Lexel knows by name.\n"
            "  Put its open_clip_config.json beside it."
        )
    return next(iter(choices), inferred)


def say_it(where: str, option: str) -> str:
    """How to state what a file leaves open: once, by converting it into a folder that holds it from then on."""
    name = option.removeprefix("--").partition(" ")[0]
    return f"lexel models convert {where} OUT {option}   (in Python: {name}= of lexel.load)"


def with_activation(config: CLIPConfig, activation: Activation) -> CLIPConfig:
    """The same architecture with another activation in those towers that have a choice."""
    towers = {
        name: tower.model_copy(update={"activation": activation})
        for name, tower in (("image", config.image), ("text", config.text))
        if isinstance(tower, VisionTransformerConfig | TextTransformerConfig)
    }
    return config.model_copy(update=towers)


def _infer(arrays: Mapping[str, np.ndarray]) -> CLIPConfig:
    text = "" if "token_embedding.weight" in arrays else "text."
    vocabulary, width = arrays[f"{text}token_embedding.weight"].shape
    marked = f"{text}cls_emb" in arrays
    embedding = arrays[f"{text}text_projection"].shape[1]
    return CLIPConfig(
        embedding=embedding,
        image=_image(arrays),
        text=TextTransformerConfig(
            context_length=len(arrays[f"{text}positional_embedding"]) - marked,
            vocabulary_size=vocabulary,
            end_of_text=vocabulary - 1,
            width=width,
            depth=_count(arrays, f"{text}transformer.resblocks."),
            heads=width // HEAD_WIDTH or 1,
            mlp_hidden=_hidden(arrays, text, width),
            pooling="class" if marked else "end",
            layer_scale=f"{text}transformer.resblocks.0.ls_1.gamma" in arrays,
        ),
        logit_bias="logit_bias" in arrays,
    )


def _image(arrays: Mapping[str, np.ndarray]) -> ImageConfig:
    if "visual.layer1.0.conv1.weight" in arrays:
        width = len(arrays["visual.layer1.0.conv1.weight"])
        return ResNetConfig.model_validate(
            {
                "image_size": 32 * round((len(arrays["visual.attnpool.positional_embedding"]) - 1) ** 0.5),
                "width": width,
                "depths": [_count(arrays, f"visual.layer{stage}.") for stage in (1, 2, 3, 4)],
                "heads": 32 * width // HEAD_WIDTH or 1,
            }
        )
    width, _, patch_size, _ = arrays["visual.conv1.weight"].shape
    pooled = "visual.attn_pool.query" in arrays
    return VisionTransformerConfig(
        image_size=patch_size * round((len(arrays["visual.positional_embedding"]) - 1) ** 0.5),
        patch_size=patch_size,
        width=width,
        depth=_count(arrays, "visual.transformer.resblocks."),
        heads=width // HEAD_WIDTH or 1,
        mlp_hidden=_hidden(arrays, "visual.", width),
        class_token=True if pooled else None,
        pooling="attention" if pooled else "class",
        pooling_queries=len(arrays["visual.attn_pool.query"]) if pooled else 256,
        pooling_heads=8 if pooled else None,
        pre_norm="visual.ln_pre.weight" in arrays,
        layer_scale="visual.transformer.resblocks.0.ls_1.gamma" in arrays,
    )


def _count(arrays: Mapping[str, np.ndarray], prefix: str) -> int:
    return len({name.removeprefix(prefix).partition(".")[0] for name in arrays if name.startswith(prefix)})


def _hidden(arrays: Mapping[str, np.ndarray], prefix: str, width: int) -> int | None:
    hidden = len(arrays[f"{prefix}transformer.resblocks.0.mlp.c_fc.weight"])
    return None if hidden == 4 * width else hidden


def _facts(config: CLIPConfig) -> tuple[object, ...]:
    """All of a configuration that shows in the shapes of its tensors."""
    image, text = config.image, config.text
    if not isinstance(text, TextTransformerConfig):
        return ()
    words = (text.context_length, text.vocabulary_size, text.width, text.depth, text.hidden, text.layer_scale,
             text.projection, text.pooling == "class")  # fmt: skip
    match image:
        case VisionTransformerConfig(stem="patch"):
            pixels = (image.grid, image.patch_size, image.width, image.depth, image.hidden, image.pre_norm,
                      image.layer_scale, image.has_class_token, image.projection, image.patch_bias,
                      image.pooling if image.pooling in ("map", "attention") else "")  # fmt: skip
        case ResNetConfig():
            pixels = (image.image_size, image.width, image.depths)
        case _:
            return ()
    return (config.embedding, type(image), pixels, words)
