"""Write the table of docs/pretrained.md again: python docs/write_pretrained.py

A test compares the page with what this makes of the facts.
"""

from pathlib import Path

from lexel.architectures.config import VisionTransformerConfig
from lexel.checkpoints.hub.pretrained import Pretrained, all_pretrained

PAGE = Path(__file__).with_name("pretrained.md")
START = "<!-- table: written by docs/write_pretrained.py -->\n"
_SETTINGS = "tests/parity/test_zoo_towers.py::test_the_native_towers_are_those_of_open_clip"
_PARAMETERS = (
    "tests/parity/test_zoo_towers.py::test_towers_of_other_libraries_have_the_parameters_that_open_clip_counts"
)
_EMBEDDINGS = "tests/parity/test_towers_open_clip.py::test_each_family_gives_open_clips_embeddings"
_TRANSFORMERS = "tests/parity/test_towers_transformers.py::test_equal_weights_give_equal_embeddings_and_logits"
_FULL_SIZE = "tests/parity/test_towers_transformers.py::test_full_size_vit_b_32_gives_the_embeddings_of_transformers"
_OPENAI = "tests/parity/test_towers_openai.py::test_rn50_gives_the_image_embeddings_of_openais_architecture"
TESTS: dict[str, tuple[str, ...]] = {  # family → what proves that its towers are those of its reference
    "ViT": (_SETTINGS, f"{_EMBEDDINGS}[vit]", _TRANSFORMERS, _FULL_SIZE),
    "ViT, worldwide": (_SETTINGS, f"{_EMBEDDINGS}[worldwide]"),
    "CLIPA": (_SETTINGS, f"{_EMBEDDINGS}[clipa]"),
    "CoCa": (_SETTINGS, f"{_EMBEDDINGS}[coca]"),
    "SigLIP": (_SETTINGS, f"{_EMBEDDINGS}[siglip]", _TRANSFORMERS),
    "ResNet": (_SETTINGS, f"{_EMBEDDINGS}[resnet]", _OPENAI),
    "ConvNeXt": (_SETTINGS, f"{_EMBEDDINGS}[convnext]"),
    "timm": (_SETTINGS, _PARAMETERS, f"{_EMBEDDINGS}[eva02]"),
    "Hugging Face text": (_SETTINGS, _PARAMETERS, f"{_EMBEDDINGS}[xlm-roberta]", _TRANSFORMERS),
}


def family(checkpoint: Pretrained) -> str:
    """Which of the families in TESTS a checkpoint belongs to, from its architecture."""
    image, text = checkpoint.config.image, checkpoint.config.text
    if image.kind == "timm":
        return "timm"
    if text.kind == "huggingface":
        return "Hugging Face text"
    if not isinstance(image, VisionTransformerConfig):
        return {"resnet": "ResNet", "convnext": "ConvNeXt"}[image.kind]
    if image.pooling != "class":
        return {"map": "SigLIP", "mean": "CLIPA", "attention": "CoCa"}[image.pooling]
    return "ViT, worldwide" if "worldwide" in checkpoint.architecture else "ViT"


def table() -> str:
    """One line for each checkpoint, in Markdown."""
    lines = [
        "| name | also | loads | activation | resize | family | hub repository |",
        "|---|---|---|---|---|---|---|",
    ]
    for checkpoint in all_pretrained():
        pixels = checkpoint.preprocessing
        cells = (
            f"`{checkpoint.name}`",
            " ".join(f"`{alias}`" for alias in checkpoint.aliases[1:]),
            " and ".join(f"extra `{extra}`" for extra in checkpoint.extras) or "natively",
            " / ".join(dict.fromkeys(filter(None, checkpoint.activations))),
            f"{pixels.image_size} {pixels.resize} {pixels.interpolation}",
            family(checkpoint),
            f"[{checkpoint.repository}](https://huggingface.co/{checkpoint.repository})",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def families() -> str:
    """Which test stands for which family, in Markdown."""
    counts = {name: sum(len(c.aliases) for c in all_pretrained() if family(c) == name) for name in TESTS}
    lines = ["| family | names | proved by |", "|---|---|---|"]
    for name, tests in TESTS.items():
        lines.append(f"| {name} | {counts[name]} | {' '.join(f'`{test}`' for test in tests)} |")
    return "\n".join(lines) + "\n"


def page(existing: str) -> str:
    """The page with its tables written again; what stands before them is kept."""
    return existing.partition(START)[0] + START + "\n" + families() + "\n" + table()


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
