"""Writes facts.json: what OpenCLIP builds under each of its names, so that the zoo is held equal to it.

Run with an environment that has open_clip and timm: python tests/parity/golden/facts.py
Everything is built without memory. The configurations of transformers' models, which cannot be downloaded here, come
from Lexel's own zoo (PYTHONPATH=src): for those only what surrounds them is checked.
"""

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
import transformers
from torch import nn

from lexel.architectures.config import HuggingFaceTextConfig
from lexel.architectures.zoo import architecture


def count(modules: list[nn.Module | nn.Parameter | None]) -> int:
    seen: dict[int, int] = {}
    for module in modules:
        parameters = [module] if isinstance(module, nn.Parameter) else module.parameters() if module is not None else []
        seen |= {id(parameter): parameter.numel() for parameter in parameters}
    return sum(seen.values())


def activations(module: nn.Module) -> list[str]:
    found = set()
    for part in module.modules():
        name = type(part).__name__
        if name == "QuickGELU":
            found.add("quick_gelu")
        elif name == "GELU":
            found.add("gelu_tanh" if getattr(part, "approximate", "none") == "tanh" else "gelu")
        elif name == "GELUTanh":
            found.add("gelu_tanh")
    return sorted(found)


def epsilons(module: nn.Module) -> list[float]:
    return sorted({part.eps for part in module.modules() if isinstance(part, nn.LayerNorm)})


def heads(module: nn.Module) -> int | None:
    for part in module.modules():
        found = getattr(part, "num_heads", None)
        if isinstance(found, int):
            return found
    return None


def facts(name: str) -> dict[str, Any]:
    model: Any = build(name)
    visual = model.visual
    image = {
        "parameters": count([visual]),
        "size": visual.image_size[0] if isinstance(visual.image_size, tuple) else visual.image_size,
        "activations": activations(visual),
        "epsilons": epsilons(visual),
        "heads": heads(visual),
    }
    text = model.text if hasattr(model, "text") else model
    names = ("transformer", "token_embedding", "positional_embedding", "ln_final", "text_projection", "cls_emb")
    pieces = [getattr(text, name, None) for name in names]
    if hasattr(text, "proj"):
        pieces = [text]
    tower = {"parameters": count(pieces)}
    if not hasattr(text, "proj"):
        pool_type = text.text_pool_type if text is model else text.pool_type
        tower |= {
            "context_length": text.context_length,
            "vocabulary_size": text.vocab_size,
            "activations": activations(text.transformer),
            "epsilons": epsilons(text.transformer),
            "heads": heads(text.transformer),
            "causal": text.attn_mask is not None,
            "pool": "class" if getattr(text, "cls_emb", None) is not None else pool_type,
        }
    return {"image": image, "text": tower, "logit_bias": model.logit_bias is not None}


def build(name: str) -> nn.Module:
    text = architecture(name).text
    if isinstance(text, HuggingFaceTextConfig):
        settings = dict(text.model)
        config = transformers.AutoConfig.for_model(settings.pop("model_type"), **settings)
        transformers.AutoConfig.from_pretrained = lambda *_, **__: config
    with torch.device("meta"):
        return open_clip.create_model(name, pretrained_text=False, device="meta")


def main() -> None:
    names = list(dict.fromkeys(name for name, _ in open_clip.list_pretrained()))
    found = {}
    for name in names:
        found[name] = facts(name)
        print(name, found[name])
    path = Path(__file__).with_name("facts.json")
    lines = ",\n".join(f'"{name}": {json.dumps(fact)}' for name, fact in found.items())
    path.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
