from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lexel.architectures.config import TextTransformerConfig
from lexel.models.layers import packing
from lexel.models.layers.packing import first_end
from lexel.models.text_transformer import TextTransformer, coca_mask, pool_words

END = 98


def tower(**changes: object) -> TextTransformer:
    """A small tower with random weights everywhere, in inference."""
    settings = {"context_length": 12, "vocabulary_size": 100, "end_of_text": END, "width": 32, "depth": 2, "heads": 2}
    tower = TextTransformer(TextTransformerConfig.model_validate(settings | changes), embedding=16).eval()
    for parameter in tower.parameters():
        nn.init.normal_(parameter, std=0.3)
    return tower


TOWER, MEAN = tower(), tower(pooling="mean")


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


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(2, 12), min_size=1, max_size=4), st.sampled_from([0, END, 99]))
def test_the_mean_of_a_caption_knows_no_padding(lengths: list[int], padding: int):
    trimmed = captions(*lengths, padding=padding)
    padded = nn.functional.pad(trimmed, (0, 12 - trimmed.shape[1]), value=padding)
    with torch.no_grad():
        torch.testing.assert_close(MEAN(trimmed), MEAN(padded), rtol=1e-4, atol=1e-4)


def test_words_are_averaged_without_start_and_end():
    ids = torch.tensor([[1, 5, 6, END, 0], [1, END, 0, 0, 0]])
    tokens = torch.randn(2, 5, 3)
    expected = torch.stack([(tokens[0, 1] + tokens[0, 2]) / 2, tokens[1, 0]])
    torch.testing.assert_close(pool_words(tokens, ids, END), expected)


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


def test_a_caption_ends_at_its_first_end_of_text_or_nowhere():
    ids = torch.tensor([[1, END, 5, END], [END, 1, 2, 3], [1, 2, 3, 4], [1, 2, 99, END]])
    assert first_end(ids, END).tolist() == [1, 0, 4, 3]


def test_a_caption_without_an_end_is_read_at_its_last_token():
    ids = torch.tensor([[5, 6, 7, 8], [5, 6, 9, 8], [5, 6, 7, 9]])
    with torch.no_grad():
        seen = (TOWER(ids)[0] - TOWER(ids)[1:]).abs().amax(dim=1)
    assert (seen > 1e-3).all()


@pytest.mark.parametrize("shape", [(2, 13), (2, 0), (5,)])
def test_ids_that_do_not_fit_the_context_are_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"T from 1 to 12, but their shape is"):
        TOWER(torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("pooling", ["end", "last", "first"])
def test_a_tower_that_sees_padding_fills_each_row_with_it(pooling: str) -> None:
    sees = tower(causal=False, pad_id=7, pooling=pooling)
    ids = captions(4, 6)
    ids[0, 4:] = 7
    filled = nn.functional.pad(ids, (0, 6), value=7)
    with torch.no_grad():
        torch.testing.assert_close(sees(ids), sees(filled))
        other = filled.clone()
        other[:, -2] = 8
        assert (sees(other) - sees(filled)).abs().max() > 1e-3


def test_a_state_may_be_read_at_the_last_or_the_first_token() -> None:
    last, first = tower(pooling="last", pad_id=0), tower(pooling="first")
    ids = captions(5, 12)
    changed = ids.clone()
    changed[:, 3] = (ids[:, 3] + 1) % END
    with torch.no_grad():
        assert (last(changed) - last(ids)).abs().amax(1).min() > 1e-3
        torch.testing.assert_close(first(changed), first(ids))


def test_a_projection_may_have_a_bias_or_be_missing() -> None:
    assert isinstance(tower(projection="linear_bias").projection.bias, nn.Parameter)
    config = TextTransformerConfig(width=32, heads=2, depth=1, projection="none")
    assert TextTransformer(config, embedding=32)(torch.ones(2, 3, dtype=torch.int64)).shape == (2, 32)


COCA = tower(pooling="class")


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_cocas_captions_may_be_cut_too(lengths: list[int]):
    trimmed = captions(*lengths)
    padded = nn.functional.pad(trimmed, (0, 12 - trimmed.shape[1]))
    with torch.no_grad():
        torch.testing.assert_close(COCA(trimmed), COCA(padded), rtol=1e-4, atol=1e-4)


def test_cocas_class_token_sees_the_caption_and_one_token_of_padding() -> None:
    """Looks of the class token, last of the row, for captions of 2 and of 4 in a context of 4."""
    mask = coca_mask(torch.tensor([[5, 9, 0, 0, 0], [5, 6, 7, 9, 0]]), context_length=4)
    assert mask.shape == (2, 1, 6, 6)
    assert mask[0, 0, -1].tolist() == [True, True, True, False, False, False]
    assert mask[1, 0, -1].tolist() == [True, True, True, True, False, True]  # a full caption lets it see itself
    assert not mask.triu(1).any()


def test_ids_inside_the_context_matter_to_cocas_class_token() -> None:
    ids = captions(6)
    with torch.no_grad():
        for place in range(6):
            changed = ids.clone()
            changed[0, place] = (ids[0, place] + 1) % END or 1
            assert (COCA(changed) - COCA(ids)).abs().max() > 1e-3


@pytest.mark.parametrize("changes", [{"causal": False, "pad_id": 3}, {"pooling": "class"}])
def test_other_poolings_can_be_exported_for_any_batch_and_length(changes: dict[str, object]) -> None:
    model, ids = tower(**changes), captions(5, 7)
    rows, length = torch.export.Dim("rows"), torch.export.Dim("length", min=2, max=11)
    exported = torch.export.export(model, (ids,), dynamic_shapes=({0: rows, 1: length},)).module()
    ids = captions(3, 10, 11)
    torch.testing.assert_close(exported(ids), model(ids), rtol=1e-4, atol=1e-4)


def gradients_of(model: TextTransformer, embeddings: Tensor) -> list[Tensor]:
    weights = torch.linspace(-1, 1, embeddings.numel(), dtype=embeddings.dtype).view(embeddings.shape)
    found = torch.autograd.grad((weights * embeddings).sum(), list(model.parameters()), allow_unused=True)
    return [torch.zeros(()) if gradient is None else gradient for gradient in found]


@pytest.mark.parametrize("pooling", ["end", "mean", "class", "first"])
@pytest.mark.parametrize("overhead", [0, 6])
@pytest.mark.parametrize("recomputed", [False, True])
def test_packed_captions_give_embeddings_and_gradients_as_each_alone(
    pooling: str, overhead: int, recomputed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "OVERHEAD_CPU", overhead)
    model = tower(pooling=pooling).double().train()
    model.checkpoint_activations = recomputed
    lengths = [5, 12, 1, 7, 5, 3, 12, 2, 6]
    ids = captions(*lengths)
    ids[1, 11] = 7  # without an end
    packed = model(ids)
    alone = torch.cat([model(row[None, :length]) for row, length in zip(ids, lengths, strict=True)])
    torch.testing.assert_close(packed, alone)
    torch.testing.assert_close(gradients_of(model, packed), gradients_of(model, alone), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("pooling", "tokens"), [("end", 23), ("mean", 20), ("class", 23 + 4 * 2), ("first", 4)])
def test_no_token_of_padding_is_processed(pooling: str, tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of captions of 9, 2, 11 and 1 tokens; the mean needs no end, but a caption that is nothing else its only one."""
    monkeypatch.setattr(packing, "OVERHEAD_CPU", 0)
    model = tower(pooling=pooling)
    seen: list[int] = []

    def count(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen.append(inputs[0].numel() // inputs[0].shape[-1])

    for block in model.blocks:
        block.attention.qkv.register_forward_pre_hook(count)  # pyright: ignore[reportAttributeAccessIssue]
    with torch.no_grad():
        model(captions(9, 2, 11, 1))
    assert seen == [tokens] * 2


def test_in_bfloat16_batches_of_other_lengths_are_packed_into_few_shapes() -> None:
    model = tower().train()
    seen: set[int] = set()
    first: Any = model.blocks[0]
    first.attention.qkv.register_forward_pre_hook(lambda _, inputs: seen.add(inputs[0].shape[0]))
    batches = [torch.randint(2, 13, (64,)).tolist() for _ in range(20)]

    def shapes(lower: bool) -> int:
        seen.clear()
        for lengths in batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=lower):
                model(captions(*lengths, 12))
        return len(seen)

    assert shapes(lower=True) < shapes(lower=False) / 2


def test_the_last_block_maps_one_token_of_each_caption() -> None:
    model = tower()
    shapes: list[tuple[int, ...]] = []
    for block in model.blocks:
        block.mlp.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    with torch.no_grad():
        model(captions(6, 6, 6))
    assert shapes == [(3, 6, 32), (3, 32)]


def test_a_batch_without_captions_has_no_embeddings() -> None:
    for pooling in ("end", "mean", "class"):
        assert tower(pooling=pooling)(torch.zeros(0, 5, dtype=torch.int64)).shape == (0, 16)


@pytest.mark.parametrize("pooling", ["end", "last", "first"])
def test_towers_that_see_padding_are_read_at_one_token_too(pooling: str) -> None:
    model = tower(causal=False, pad_id=7, pooling=pooling).double()
    ids = captions(4, 12, 6, padding=7)
    read = {"end": torch.tensor([3, 11, 5]), "last": torch.tensor([11] * 3), "first": torch.tensor([0] * 3)}[pooling]
    tokens = model.token_embedding(ids) + model.position_embedding
    for block in model.blocks:
        tokens = block(tokens)
    expected = model.projection(model.final_norm(tokens[torch.arange(3), read]))
    torch.testing.assert_close(model(ids), expected)
