import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.errors import ModelError
from lexel.tokenizer import TextRules, Tokenizer

CAPTIONS = [
    "a red circle on a green field",
    "two blue stars",
    "a small yellow heart, 25 cm",
    "Ein großer grüner Würfel",
] * 3


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(CAPTIONS, vocabulary_size=400, context_length=12)


def decoded(tokenizer: Tokenizer, text: str) -> str:
    long = Tokenizer(tokenizer.backend, context_length=100_000, end_of_text=tokenizer.end_of_text)
    return tokenizer.backend.decode(long.encode([text])[0], skip_special_tokens=True)


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_text_comes_back_but_for_case_form_and_spaces(tokenizer, text):
    folded = tokenizer.backend.normalizer.normalize_str(text)
    assert decoded(tokenizer, text) == folded


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
def test_rows_start_and_end_and_fit_the_context(tokenizer, text):
    [row] = tokenizer.encode([text])
    assert 2 <= len(row) <= 12
    assert row[0] == tokenizer.backend.token_to_id("<start>")
    assert row[-1] == tokenizer.end_of_text
    assert tokenizer.end_of_text not in row[:-1]


def test_case_and_spaces_do_not_matter(tokenizer):
    assert tokenizer.encode(["A  Red\tCIRCLE "]) == tokenizer.encode(["a red circle"])


def test_special_tokens_in_a_caption_are_not_taken_for_the_end(tokenizer):
    [row] = tokenizer.encode(["a <end> of the line"])
    assert row.count(tokenizer.end_of_text) == 1


def test_the_same_captions_give_the_same_vocabulary():
    first, second = (Tokenizer.train(CAPTIONS, 350, 12).to_json() for _ in range(2))
    assert first == second


def test_long_captions_are_counted(tokenizer):
    assert tokenizer.count_truncated(["a red circle", "star " * 50, "x" * 10_000]) == 2


def test_ids_are_as_wide_as_the_longest_row(tokenizer):
    ids = tokenizer(["a red circle", "two blue stars on a green field"])
    assert ids.dtype == np.int64
    assert (ids[0] == 0).sum() == ids.shape[1] - len(tokenizer.encode(["a red circle"])[0])


def test_no_texts_make_no_rows(tokenizer):
    assert tokenizer([]).shape == (0, 0)
    assert tokenizer.stack([]).shape == (0, 0)


def test_rows_shorter_than_others_are_filled_behind_their_end(tokenizer):
    assert tokenizer.stack([[1], [1, 2, 3]]).tolist() == [[1, 0, 0], [1, 2, 3]]
    filling = Tokenizer(tokenizer.backend, 12, tokenizer.end_of_text, fill_id=9)
    assert filling.stack([[1], [1, 2, 3]]).tolist() == [[1, 9, 9], [1, 2, 3]]
    assert filling(["a red circle", "a"])[1, -1] == 9


def test_a_saved_tokenizer_gives_the_same_ids(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_json(), encoding="utf-8")
    again = Tokenizer.load(path, 12, tokenizer.end_of_text)
    assert again.encode(CAPTIONS) == tokenizer.encode(CAPTIONS)
    sent = pickle.loads(pickle.dumps(tokenizer))
    assert sent.encode([*CAPTIONS, "a <end> b"]) == tokenizer.encode([*CAPTIONS, "a <end> b"])


def test_a_damaged_tokenizer_is_named(tmp_path, tokenizer):
    path = tmp_path / "tokenizer.json"
    path.write_text("{")
    with pytest.raises(ModelError, match=r"tokenizer\.json is not a readable tokenizer"):
        Tokenizer.load(path, 12, 2)
    path.write_text(tokenizer.to_json(), encoding="utf-8")
    with pytest.raises(ModelError, match="no token with the id 99999"):
        Tokenizer.load(path, 12, 99999)


def test_with_a_padding_id_every_row_fills_the_context(tokenizer):
    padded = Tokenizer(tokenizer.backend, 12, tokenizer.end_of_text, pad_id=7)
    for text, row in zip(CAPTIONS, padded.encode(CAPTIONS), strict=True):
        [bare] = tokenizer.encode([text])
        assert row == bare + [7] * (12 - len(bare))
    assert padded(["a red circle"]).shape == (1, 12)
    assert padded.count_truncated(["a red circle"]) == 0


def test_a_tokenizer_that_was_sent_elsewhere_keeps_its_rules(tokenizer):
    rules = TextRules(cleaning="canonical", special_names="anywhere")
    there = pickle.loads(pickle.dumps(Tokenizer(tokenizer.backend, 12, tokenizer.end_of_text, 0, rules, 5)))
    assert (there.rules, there.pad_id, there.fill_id) == (rules, 0, 5)
    assert there.encode(["A red, circle <end>!"]) == there.encode(["a red circle end"])


def test_halves_of_unicode_pairs_in_a_caption_are_no_error():
    tokenizer = Tokenizer.train([*CAPTIONS, "a \ud83d star"], 350, 12)
    assert tokenizer.encode(["a \ud83d star"]) == tokenizer.encode(["a � star"])
