"""The named checkpoints are all of OpenCLIP's, each with an architecture and the activation it was trained with."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.architectures.config import VisionTransformerConfig
from lexel.architectures.zoo import ARCHITECTURES
from lexel.checkpoints.hub.pretrained import all_pretrained, find, looks_pretrained
from lexel.errors import UsageError

DOCS = Path(__file__).parents[3] / "docs"
NAMES = sorted(alias for checkpoint in all_pretrained() for alias in checkpoint.aliases)


def test_all_of_open_clips_names_are_known_once():
    assert len(NAMES) == len(set(NAMES)) == 196  # len(open_clip.list_pretrained()) of version 3.3.0


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_an_architecture_weights_a_tokenizer_and_pixels(name: str):
    checkpoint = find(name)
    assert checkpoint.architecture in ARCHITECTURES
    assert checkpoint.repository.count("/") == checkpoint.tokenizer.count("/") == 1
    assert all(file.endswith((".safetensors", ".bin")) for file in checkpoint.weights)
    assert checkpoint.preprocessing.image_size == ARCHITECTURES[checkpoint.architecture].image.image_size
    assert checkpoint.config.text.context_length >= 16


def test_openais_weights_mean_quick_gelu_under_either_name():
    assert find("ViT-B-32/openai") is find("ViT-B-32-quickgelu/openai")
    assert find("ViT-B-32/openai").activations == ("quick_gelu", "quick_gelu")


@pytest.mark.parametrize(
    ("name", "image", "text"),
    [
        ("RN50/cc12m", "", "quick_gelu"),
        ("ViT-B-32/laion400m_e32", "quick_gelu", "quick_gelu"),
        ("ViT-B-16/laion400m_e32", "gelu", "gelu"),
        ("ViT-L-14/dfn2b", "quick_gelu", "quick_gelu"),
        ("ViT-L-14/dfn2b_s39b", "gelu", "gelu"),
        ("ViT-H-14/metaclip_fullcc", "quick_gelu", "quick_gelu"),
        ("ViT-H-14/metaclip_altogether", "gelu", "gelu"),
        ("ViT-H-14-worldwide/metaclip2_worldwide", "quick_gelu", "quick_gelu"),
        ("ViT-bigG-14-worldwide/metaclip2_worldwide", "gelu", "gelu"),
        ("ViT-B-16-SigLIP2/webli", "gelu", "gelu_tanh"),
        ("roberta-ViT-B-32/laion2b_s12b_b32k", "quick_gelu", ""),
    ],
)
def test_the_tag_decides_the_activation(name: str, image: str, text: str):
    assert find(name).activations == (image, text)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("ViT-B-32/openai", ("shortest", "bicubic", 0.48145466)),
        ("ViT-L-14/laion2b_s32b_b82k", ("shortest", "bicubic", 0.5)),
        ("ViT-H-14/dfn5b", ("squash", "bicubic", 0.48145466)),
        ("ViT-H-14/laion2b_s32b_b79k", ("shortest", "bicubic", 0.48145466)),
        ("ViT-B-16-SigLIP/webli", ("squash", "bicubic", 0.5)),
        ("ViT-L-14-CLIPA/datacomp1b", ("squash", "bilinear", 0.485)),
        ("MobileCLIP-S1/datacompdr", ("shortest", "bilinear", 0.0)),
        ("MobileCLIP2-S3/dfndr2b", ("shortest", "bilinear", 0.48145466)),
        ("PE-Core-B-16/meta", ("squash", "bilinear", 0.5)),
    ],
)
def test_pixels_are_those_of_the_tag(name: str, pixels: tuple[str, str, float]):
    preprocessing = find(name).preprocessing
    assert (preprocessing.resize, preprocessing.interpolation, preprocessing.mean[0]) == pixels


def test_hashes_are_read_from_the_addresses_that_carry_them():
    assert find("ViT-B-32/openai").sha256 == "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
    assert find("ViT-B-32/laion2b_e16").sha256 == "af8dbd0c"
    assert find("ViT-B-32/metaclip_400m").sha256 is None
    assert find("ViT-B-32/datacomp_xl_s13b_b90k").sha256 is None


def test_only_towers_of_other_libraries_need_an_extra():
    assert find("ViT-B-32/openai").extras == ()
    assert find("EVA02-L-14/merged2b_s4b_b131k").extras == ("timm",)
    assert find("roberta-ViT-B-32/laion2b_s12b_b32k").extras == ("hf",)
    assert isinstance(find("nllb-clip-base-siglip/v1").config.image, VisionTransformerConfig)


def test_a_tag_may_be_written_with_hyphens_and_capitals():
    assert find("ViT-B-32/LAION2B-S34B-B79K") is find("ViT-B-32/laion2b_s34b_b79k")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ViT-B-32/opena", r'Did you mean "openai"\?(.|\n)*ViT-B-32/laion400m_e31'),
        ("ViT-B-32", "ViT-B-32/openai"),
        ("ViT-B32/openai", r'Did you mean "ViT-B-32/openai"\?'),
        ("ViT-L14", 'Did you mean "ViT-L-14"'),
        ("something/else", "hf:ORGANISATION/REPOSITORY"),
        ("", "no pretrained checkpoint"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(name: str, told: str):
    with pytest.raises(UsageError, match=told) as caught:
        find(name)
    assert str(caught.value).count("\n") <= 2


@given(st.text())
def test_no_name_breaks_the_search(name: str):
    try:
        assert name.partition("/")[0] + "/" in "".join(f"{alias.partition('/')[0]}/" for alias in find(name).aliases)
    except UsageError:
        assert name not in NAMES


def test_paths_are_not_taken_for_names():
    assert looks_pretrained("ViT-B-32/openai")
    assert looks_pretrained("ViT-B-32/unknown")
    assert not looks_pretrained("runs/demo/model")
    assert not looks_pretrained("./ViT-B-32/openai")


def test_the_list_is_read_without_torch():
    code = "import sys, lexel.checkpoints.hub.locate as hub; hub.pretrained_rows(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_documentation_agrees_with_the_facts():
    """Else: python docs/write_pretrained.py"""
    writer = _writer()
    text = (DOCS / "pretrained.md").read_text(encoding="utf-8")
    assert text == writer.page(text)
    assert all(f"`{name}`" in text for name in NAMES)


def test_every_test_that_the_documentation_names_is_there():
    for test in {test for tests in _writer().TESTS.values() for test in tests}:
        file, _, function = test.partition("::")
        assert f"def {function.partition('[')[0]}(" in (DOCS.parent / file).read_text(encoding="utf-8"), test


def _writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_pretrained", DOCS / "write_pretrained.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
