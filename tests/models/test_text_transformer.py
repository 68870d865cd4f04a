import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lexel.models.config import TextTransformerConfig
from lexel.models.text_transformer import TextTransformer, pool_at_end

END = 98


def tower() -> TextTransformer:
    config = TextTransformerConfig(context_length=12, vocabulary_size=100, end_of_text=END, width=32, depth=2, heads=2)
    tower = TextTransformer(config, embedding=16).eval()
    for parameter in tower.parameters():
        nn.init.normal_(parameter, std=0.3)
    return tower


TOWER = tower()


def captions(*lengths: int, padding: int = 0) -> Tensor:
    """Random captions of these lengths, end-of-text included, padded to the longest."""
    ids = torch.full((len(lengths), max(lengths)), padding)
    for row, length in zip(ids, lengths, strict=True):
        row[:length] = torch.randint(1, END, (length,))
        row[length - 1] = END
    return ids


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.sampled_from([0, END, 99]))
def test_trimmed_captions_give_the_embeddings_of_padded_ones(lengths: list[int], padding: int):
    trimmed = captions(*lengths, padding=padding)
    padded = nn.functional.pad(trimmed, (0, 12 - trimmed.shape[1]), value=padding)
    with torch.no_grad():
        torch.testing.assert_close(TOWER(trimmed), TOWER(padded), rtol=1e-4, atol=1e-4)


def test_nothing_after_the_first_end_of_text_matters():
    ids = captions(5, 12)
    changed = ids.clone()
    changed[0, 5:] = torch.tensor([7, END, 3, 99, 1, 2, 3])
    with torch.no_grad():
        torch.testing.assert_close(TOWER(changed), TOWER(ids))


def test_every_token_before_end_of_text_matters():
    ids = captions(6)
    with torch.no_grad():
        for place in range(6 - 1):
            changed = ids.clone()
            changed[0, place] = (ids[0, place] + 1) % END
            assert (TOWER(changed) - TOWER(ids)).abs().max() > 1e-3


def test_the_state_is_read_at_the_first_end_of_text_or_else_at_the_last_token():
    ids = torch.tensor([[1, END, 5, END], [END, 1, 2, 3], [1, 2, 3, 4], [1, 2, 99, END]])
    tokens = torch.arange(16.0).view(4, 4, 1)
    assert pool_at_end(tokens, ids, END).flatten().tolist() == [1, 4, 11, 15]


@pytest.mark.parametrize("shape", [(2, 13), (2, 0), (5,)])
def test_ids_that_do_not_fit_the_context_are_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"T from 1 to 12, but their shape is"):
        TOWER(torch.zeros(shape, dtype=torch.int64))
