"""The zoo against what OpenCLIP builds under the same names (golden/facts.json, written by golden/facts.py)."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from lexel.architectures.config import (
    CLIPConfig,
    ConvNeXtConfig,
    HuggingFaceTextConfig,
    ResNetConfig,
    TextTransformerConfig,
    TimmConfig,
    VisionTransformerConfig,
)
from lexel.architectures.cost import cost_of
from lexel.architectures.zoo import ARCHITECTURES, architecture
from lexel.models.clip import CLIP

FACTS = json.loads((Path(__file__).parent / "golden" / "facts.json").read_text())
FOREIGN = [
    name
    for name in FACTS
    if isinstance(architecture(name).image, TimmConfig) or isinstance(architecture(name).text, HuggingFaceTextConfig)
]


def test_every_name_of_open_clips_pretrained_list_is_known():
    assert len(FACTS) > 110
    assert set(FACTS) <= set(ARCHITECTURES)


@pytest.mark.parametrize("name", FACTS)
def test_the_native_towers_are_those_of_open_clip(name):
    config, cost, facts = architecture(name), cost_of(architecture(name)), FACTS[name]
    assert config.logit_bias == facts["logit_bias"]
    assert config.image.image_size == facts["image"]["size"]
    if not isinstance(config.image, TimmConfig):
        assert cost.parameters_image == facts["image"]["parameters"]
        assert image_facts(config) == {key: facts["image"][key] for key in image_facts(config)}
    if isinstance(config.text, TextTransformerConfig):
        assert cost.parameters_text == facts["text"]["parameters"]
        assert text_facts(config.text) == {key: facts["text"][key] for key in text_facts(config.text)}


def image_facts(config: CLIPConfig) -> dict[str, object]:
    match config.image:
        case VisionTransformerConfig() as image:
            return {"activations": [image.activation], "epsilons": [image.norm_epsilon], "heads": image.heads}
        case ConvNeXtConfig() as image:
            return {"activations": ["gelu"], "epsilons": [image.norm_epsilon]}
        case ResNetConfig() as image:
            return {"heads": image.heads}
        case _:
            return {}


def text_facts(text: TextTransformerConfig) -> dict[str, object]:
    ends = {49407: "argmax", 2: "eos"}
    return {
        "context_length": text.context_length,
        "vocabulary_size": text.vocabulary_size,
        "activations": [text.activation],
        "epsilons": [text.norm_epsilon],
        "heads": text.heads,
        "causal": text.causal,
        "pool": ends[text.end_of_text] if text.pooling == "end" else text.pooling,
    }


@pytest.mark.parametrize("name", FOREIGN)
def test_towers_of_other_libraries_have_the_parameters_that_open_clip_counts(name):
    config = architecture(name)
    if isinstance(config.image, TimmConfig) and not find_spec("timm"):
        pytest.skip("timm is not installed: pip install 'lexel[timm]'")
    with torch.device("meta"):
        clip = CLIP(config)
    assert sum(parameter.numel() for parameter in clip.image.parameters()) == FACTS[name]["image"]["parameters"]
    assert sum(parameter.numel() for parameter in clip.text.parameters()) == FACTS[name]["text"]["parameters"]
