"""The tokenizer that goes with a foreign model: which files, whose rules, which padding."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, processors

from lexel.architectures.config import CLIPConfig, HuggingFaceTextConfig, TextTransformerConfig
from lexel.architectures.zoo import ARCHITECTURES
from lexel.checkpoints.formats.tokenizer import find_tokenizer, fit_tokens, tokenizer_advice
from lexel.errors import ModelError, UsageError

WORDS = {"<pad>": 0, "</s>": 1, "a": 2, "cat": 3, "A": 4, "cat!": 5, "<unk>": 6}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small tokenizer as transformers writes them."""
    backend = Backend(models.WordLevel(WORDS, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    backend.save(str(tmp_path / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "pad_token": "<pad>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    return tmp_path


def architecture(**text: Any) -> CLIPConfig:
    words = {"vocabulary_size": 10, "end_of_text": 1, "context_length": 6, "width": 8, "heads": 1} | text
    return CLIPConfig(text=TextTransformerConfig.model_validate(words))


SIGLIP = architecture(causal=False, pooling="last", pad_id=1).model_copy(update={"logit_bias": True})


def test_no_files_mean_no_tokenizer_and_a_path_without_one_is_a_mistake(tmp_path):
    assert find_tokenizer(tmp_path, None, SIGLIP, {}, "open_clip") is None
    assert find_tokenizer(None, None, SIGLIP, {}, "open_clip") is None
    with pytest.raises(UsageError, match="has no tokenizer"):
        find_tokenizer(None, tmp_path, SIGLIP, {}, "open_clip")
    with pytest.raises(UsageError, match="needs a list of merges"):
        find_tokenizer(None, tmp_path, ARCHITECTURES["ViT-B-32"], {}, "open_clip")


def test_the_tokenizers_padding_takes_the_place_of_what_the_configuration_presumed(folder):
    found = find_tokenizer(folder, None, SIGLIP, {}, "open_clip")
    assert found is not None
    assert found.encode(["A cat!"]) == [[2, 3, 1, 0, 0, 0]]  # SigLIP's cleaning, though nothing says that it is SigLIP
    assert fit_tokens(SIGLIP, found).text.pad_id == 0


@pytest.mark.parametrize(
    ("kwargs", "ids"),
    [
        ({}, [4, 5, 1, 0, 0, 0]),
        ({"clean": "canonicalize"}, [2, 3, 1, 0, 0, 0]),
        ({"strip_sep_token": True}, [4, 5, 0, 0, 0, 0]),
    ],
)
def test_open_clips_settings_of_the_tokenizer_are_followed(folder, kwargs, ids):
    config = {"model_cfg": {"text_cfg": {"tokenizer_kwargs": kwargs}}}
    found = find_tokenizer(folder, None, SIGLIP, config, "open_clip")
    assert found is not None
    assert found.encode(["A cat!"]) == [ids]


def test_a_cleaning_that_lexel_does_not_have_is_refused(folder):
    config = {"text_cfg": {"tokenizer_kwargs": {"clean": "strange"}}}
    with pytest.raises(UsageError, match="cleans captions by strange"):
        find_tokenizer(folder, None, SIGLIP, config, "open_clip")


def test_towers_that_mask_the_padding_get_rows_filled_with_what_they_mask(folder):
    text = HuggingFaceTextConfig(
        model={"model_type": "roberta"}, vocabulary_size=10, end_of_text=1, pad_id=6, context_length=6
    )
    found = find_tokenizer(folder, None, CLIPConfig(text=text), {}, "open_clip")
    assert found is not None
    assert (found.pad_id, found.fill_id) == (None, 6)


def test_an_end_that_the_tower_does_not_look_for_is_told(folder):
    other = architecture(end_of_text=9)
    found = find_tokenizer(folder, None, other, {}, "huggingface")
    assert found is not None
    with pytest.raises(ModelError, match="ends a caption by 1, but the model looks for 9"):
        fit_tokens(other, found)
    assert fit_tokens(architecture(), found) == architecture()


def test_damaged_rules_in_lexels_own_note_are_told(folder):
    with pytest.raises(ModelError, match="rules in the configuration are damaged"):
        find_tokenizer(folder, None, architecture(), {"lexel": {"text_rules": {"cleaning": "?"}}}, "open_clip")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("style", ["open_clip", "huggingface"])
def test_a_list_of_merges_is_read_for_every_model_that_knows_its_tokens(tmp_path, packed, style):
    text = "#version: 0.2\n" + "\n".join(["c a", "ca t</w>", "d o", "do g</w>"]) + "\n"
    path = tmp_path / ("bpe_simple_vocab_16e6.txt.gz" if packed else "merges.txt")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    size = 512 + 4 + 2
    found = find_tokenizer(None, path, architecture(vocabulary_size=size, end_of_text=size - 1), {}, style)
    assert found is not None
    assert found.encode(["Cat dog"]) == [[size - 2, 513, 515, size - 1]]
    with pytest.raises(UsageError, match=r"makes 518 tokens, but the model knows 10.\n  Give the tokenizer\.json"):
        find_tokenizer(None, path, architecture(), {}, style)


def test_the_advice_names_what_the_model_was_trained_with():
    assert "bpe_simple_vocab_16e6.txt.gz" in tokenizer_advice(ARCHITECTURES["ViT-B-32"])
    assert "bpe_simple_vocab" not in tokenizer_advice(SIGLIP)
