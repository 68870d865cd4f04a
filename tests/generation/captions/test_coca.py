import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from lexel.checkpoints.formats.open_clip.config_in import read_open_clip_config
from lexel.checkpoints.formats.open_clip.tensors import open_clip_rows
from lexel.checkpoints.formats.tensor_tables import to_theirs
from lexel.errors import BadImageError, LexelError, ModelError, UsageError
from lexel.generation.captions.coca import CoCaConfig, CoCaDecoder, coca_rows, read_coca_decoder
from lexel.generation.captions.coca_captioner import CoCaCaptioner, open_captioner
from lexel.generation.captions.search import SearchSettings
from lexel.models.clip import CLIP
from lexel.tokenizer.clip import _build

WORDS = ["a b", "ab c</w>", "d o", "do g</w>", "c a", "ca t</w>", "a </w>"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A folder as OpenCLIP saves it, with random weights and CLIP's kind of tokenizer on a few words."""
    folder = tmp_path_factory.mktemp("coca")
    backend = _build([tuple(merge.split(" ")) for merge in WORDS[:-1]])
    (folder / "tokenizer.json").write_text(backend.to_str())
    names = {"eos_token": "<end_of_text>", "bos_token": "<start_of_text>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    size = backend.get_vocab_size()
    text = {"context_length": 20, "vocab_size": size, "width": 32, "heads": 2, "layers": 1}
    vision = {"image_size": 32, "patch_size": 16, "width": 32, "head_width": 16, "layers": 1}
    pooled = {"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True, "attn_pooler_queries": 6}
    content = {
        "embed_dim": 32, "vision_cfg": vision | pooled, "text_cfg": text | {"embed_cls": True, "output_tokens": True},
        "multimodal_cfg": text, "custom_text": True,
    }  # fmt: skip
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": content}))
    torch.manual_seed(0)
    config = read_open_clip_config(content)[0]
    clip = CLIP(config)
    decoder = CoCaDecoder(CoCaConfig(vocabulary_size=size, width=32, depth=1, heads=2))
    for parameter in (*clip.parameters(), *decoder.parameters()):
        torch.nn.init.normal_(parameter, std=0.3)
    arrays = {name: value.detach().numpy() for name, value in clip.state_dict().items()}
    theirs = to_theirs(open_clip_rows(config, arrays, flat=False), arrays)
    own = {name: value.detach().numpy() for name, value in decoder.state_dict().items()}
    theirs |= {
        f"text_decoder.{name}": value for name, value in to_theirs(coca_rows(CoCaConfig(
            vocabulary_size=size, width=32, depth=1, heads=2)), own).items()
    }  # fmt: skip
    save_file(
        {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in theirs.items()},
        folder / "open_clip_model.safetensors",
    )
    return folder


def pictures():
    return [Image.new("RGB", (40, 32), colour) for colour in ("red", "blue", "green")]


def test_a_checkpoint_captions_with_its_own_decoder(checkpoint):
    captioner = open_captioner(checkpoint)
    assert isinstance(captioner, CoCaCaptioner)
    found = captioner.candidates(pictures(), SearchSettings(beams=3))
    assert [len(picture.candidates) for picture in found] == [3, 3, 3]
    for picture, image in zip(found, pictures(), strict=True):
        cosines = captioner.encoder.similarity([image], [one.text for one in picture.candidates])[0]
        np.testing.assert_allclose([one.cosine for one in picture.candidates], cosines, atol=1e-5)
    assert captioner.caption(pictures(), SearchSettings(beams=3)) == [one.caption for one in found]


def test_pictures_that_cannot_be_read_keep_their_place(checkpoint):
    captioner = CoCaCaptioner.load(checkpoint)
    found = captioner.candidates([pictures()[0], b"no picture", pictures()[1]])
    assert isinstance(found[1], BadImageError)
    (alone,) = captioner.candidates([pictures()[1]])
    assert [one.text for one in found[2].candidates] == [one.text for one in alone.candidates]
    with pytest.raises(BadImageError):
        captioner.caption([b"no picture"])


def test_samples_follow_their_seed(checkpoint):
    captioner = CoCaCaptioner.load(checkpoint)
    one, other = (SearchSettings(samples=4, seed=seed) for seed in (1, 2))
    said = [[candidate.text for candidate in found.candidates] for found in captioner.candidates(pictures(), one)]
    again, others = captioner.candidates(pictures(), one), captioner.candidates(pictures(), other)
    assert said == [[candidate.text for candidate in found.candidates] for found in again]
    assert said != [[candidate.text for candidate in found.candidates] for found in others]


def test_a_model_of_its_own_is_not_to_be_given(checkpoint):
    with pytest.raises(UsageError, match="brings its own towers: leave out --model"):
        open_captioner(checkpoint, "somewhere")


def test_a_checkpoint_without_a_decoder_is_no_captioner():
    with pytest.raises(ModelError, match=r"x has no decoder: it is no CoCa\. Train one"):
        read_coca_decoder({"logit_scale": np.zeros(())}, None, "gelu", "x")


def test_what_is_nowhere_is_named(tmp_path):
    with pytest.raises(LexelError, match="there is no such folder"):
        open_captioner(tmp_path / "nowhere")
