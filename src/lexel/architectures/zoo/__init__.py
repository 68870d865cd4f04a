"""Architectures by name. No torch here: they are listed, and recipes checked, without it.

The names are OpenCLIP's, and mean the same: without `-quickgelu` the activation is GELU, though OpenAI's own weights
(and a few others) were trained with QuickGELU and are wrong without it. The `lexel-` ones are ours, small enough to be
trained on a CPU from little data.
"""

from lexel.architectures.config import CLIPConfig
from lexel.architectures.zoo import clip, multilingual, ours, siglip, timm
from lexel.errors import UsageError, did_you_mean

ARCHITECTURES: dict[str, CLIPConfig] = {
    **ours.LEXEL,
    **clip.RESNETS,
    **clip.VISION_TRANSFORMERS,
    **clip.QUICK_GELU,
    **clip.CLIPA,
    **clip.COCA,
    **clip.CONVNEXTS,
    **siglip.SIGLIP,
    **multilingual.WORLDWIDE,
    **multilingual.HUGGING_FACE,
    **timm.TIMM,
}


def architecture(name: str) -> CLIPConfig:
    """The configuration of a named architecture; raises UsageError for a name that is not in `ARCHITECTURES`."""
    if name not in ARCHITECTURES:
        raise UsageError(
            f'There is no architecture "{name}".{did_you_mean(name, ARCHITECTURES)}\n'
            "  lexel models list shows them all."
        )
    return ARCHITECTURES[name]
