"""CoCa's decoder against OpenCLIP's, with the same weights (golden/captions.npz, by golden/make_captions.py)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from golden.families import CAPTIONERS, END, pixels, weight
from golden.families import LONGEST as CONTEXT

from lexel.checkpoints.formats.open_clip.config_in import read_open_clip_config
from lexel.checkpoints.formats.open_clip.tensors import open_clip_rows
from lexel.checkpoints.formats.tensor_tables import to_ours
from lexel.generation.captions.coca import CoCaConfig, CoCaDecoder, CoCaStepper, coca_rows, look_at, read_coca_decoder
from lexel.generation.captions.search import Vocabulary, beam_search
from lexel.models.clip import CLIP

GOLDEN = np.load(Path(__file__).parent / "golden" / "captions.npz")
START, LONGEST, SHORTEST = 1, 8, 4  # tokens behind the start and before the end, of golden/make_captions.py


def golden_coca(name: str) -> tuple[CLIP, CoCaStepper]:
    content = CAPTIONERS[name]
    config = read_open_clip_config(content)[0]
    with torch.device("meta"):
        clip = CLIP(config)
    shapes = {key: tuple(tensor.shape) for key, tensor in clip.state_dict().items()}
    rows = open_clip_rows(config, shapes, flat=False)
    theirs = {key: weight(key, row.wanted(shapes)) for row in rows for key in row.theirs}
    ours = to_ours(rows, theirs, shapes, "the reference")
    clip.load_state_dict({key: torch.from_numpy(value) for key, value in ours.items()}, assign=True)
    text = content["multimodal_cfg"]
    sizes = CoCaConfig(
        vocabulary_size=text["vocab_size"], width=text["width"], depth=text["layers"], heads=text["heads"],
        activation=config.text.activation,
    )  # fmt: skip
    with torch.device("meta"):
        own = {key: tuple(tensor.shape) for key, tensor in CoCaDecoder(sizes).state_dict().items()}
    named = {f"text_decoder.{key}": row.wanted(own) for row in coca_rows(sizes) for key in row.theirs}
    arrays = {key: weight(key, shape) for key, shape in named.items()}
    return clip.eval(), CoCaStepper(read_coca_decoder(arrays, content, config.text.activation, name), clip)


@pytest.mark.parametrize("name", CAPTIONERS)
def test_greedy_captions_are_open_clips(name):
    clip, stepper = golden_coca(name)
    with torch.no_grad():
        _, pictures = look_at(clip, torch.from_numpy(pixels(48)))
    vocabulary = Vocabulary(START, END, longest=LONGEST, never=(0,), shortest=SHORTEST)
    found = beam_search(stepper, pictures, vocabulary, 1, 0.0)
    expected = [[token for token in row if token not in (START, END, 0)] for row in GOLDEN[f"{name}.ids"].tolist()]
    assert [sentences[0].ids for sentences in found] == expected
    assert len(expected[0]) == LONGEST <= CONTEXT


@pytest.mark.parametrize("name", CAPTIONERS)
def test_log_odds_on_the_way_are_open_clips(name):
    clip, stepper = golden_coca(name)
    ids, expected = torch.from_numpy(GOLDEN[f"{name}.ids"]), GOLDEN[f"{name}.logits"]
    with torch.no_grad():
        embeddings, pictures = look_at(clip, torch.from_numpy(pixels(48)))
        torch.testing.assert_close(embeddings, clip.encode_image(torch.from_numpy(pixels(48))), atol=1e-5, rtol=1e-5)
        logits, cache = stepper.start(pictures, START)
        for place in range(expected.shape[1]):
            wanted = torch.from_numpy(expected[:, place].copy())
            wanted[:, END] = torch.maximum(wanted[:, END], wanted[:, 0])  # padding ends a sentence too
            np.testing.assert_allclose(logits, wanted, atol=2e-4 * float(wanted.abs().max()))
            logits = stepper.next(ids[:, place + 1], cache)
