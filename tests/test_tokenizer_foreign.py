import html
import json
import shutil
from contextlib import suppress
from pathlib import Path

import ftfy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexel.errors import LexelError, ModelError, UsageError
from lexel.tokenizer import TextRules, Tokenizer, clip_tokenizer
from lexel.tokenizer.cleaning import CLEANING, mend
from lexel.tokenizer.sentencepiece import read_sentencepiece

MERGES = "heading\na t</w>\nc at</w>\nd o\ndo g</w>\n"
SENTENCES = Path(__file__).parent / "parity/golden/sentencepiece.model"


@pytest.fixture
def merges(tmp_path) -> Path:
    path = tmp_path / "merges.txt"
    path.write_text(MERGES)
    return path


def test_clips_tokenizer_comes_from_a_file_a_folder_or_another_tokenizer(merges, tmp_path):
    tokenizer = clip_tokenizer(merges)
    assert clip_tokenizer(tmp_path).encode(["a cat & dog"]) == tokenizer.encode(["a cat & dog"])
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "tokenizer.json").write_text(tokenizer.to_json())
    assert clip_tokenizer(saved).encode(["a cat & dog"]) == tokenizer.encode(["a cat & dog"])
    assert tokenizer.backend.decode(tokenizer.encode(["a cat  dog"])[0]) == "a cat dog"


def test_merges_that_are_missing_or_damaged_are_named(tmp_path, merges):
    with pytest.raises(UsageError, match=r"none\.txt does not exist.\nGive the path of bpe_simple_vocab"):
        clip_tokenizer(tmp_path / "none.txt")
    merges.rename(tmp_path / "list.txt")
    with pytest.raises(UsageError, match="has none of its files"):
        clip_tokenizer(tmp_path)
    for damaged in ("", "heading\n", "heading\na b c\n", "heading\nq zz\n", "heading\na t\na t\n", "{", "\x1f\x8b"):
        (tmp_path / "list.txt").write_text(damaged)
        with pytest.raises(ModelError, match=r"list\.txt is not a readable list of CLIP's merges"):
            clip_tokenizer(tmp_path / "list.txt")


def test_long_captions_keep_their_end_and_are_counted(merges):
    tokenizer = clip_tokenizer(merges, context_length=6)
    texts = ["cat " * 4, "cat " * 5, "x" * 10_000, "cat " * 10_000]
    rows = tokenizer.encode(texts)
    assert [len(row) for row in rows] == [6] * 4
    assert {row[-1] for row in rows} == {tokenizer.end_of_text}
    assert tokenizer.count_truncated(texts) == 3


@given(text=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="&"), max_size=200))
@settings(max_examples=500)
def test_nothing_is_to_be_mended_in_plain_ascii(text):
    assert html.unescape(html.unescape(ftfy.fix_text(text))) == text == mend(text)


def test_halves_of_unicode_pairs_are_joined_or_replaced_by_every_rule(merges):
    assert CLEANING["none"]("\ud83d\ude00 \ud83d") == "😀 �"
    backend = clip_tokenizer(merges).backend
    for cleaning in CLEANING:
        rules = TextRules.model_validate({"cleaning": cleaning})
        assert len(Tokenizer(backend, 9, 0, rules=rules).encode(["\ud83d", "\ude00 cat"])) == 2


def test_a_folder_without_a_tokenizer_says_what_to_fetch(tmp_path):
    with pytest.raises(UsageError, match=r"has no tokenizer.\nFetch the model's tokenizer\.json"):
        Tokenizer.from_huggingface(tmp_path, 9)
    shutil.copy(SENTENCES, tmp_path / "sentencepiece.bpe.model")
    with pytest.raises(UsageError, match=r"not the model's own. Fetch the model's tokenizer\.json"):
        Tokenizer.from_huggingface(tmp_path, 9)


@pytest.mark.parametrize(
    "files",
    [
        {"tokenizer.json": "{"},
        {"vocab.json": "[]", "merges.txt": ""},
        {"vocab.json": "{", "merges.txt": ""},
        {"vocab.json": '{"a": 0}', "merges.txt": "a b c"},
        {"vocab.json": '{"a": 0}', "merges.txt": "a a"},
        {"vocab.json": '{"a": 0, "b": 1, "ab": 2}', "merges.txt": "a b"},
        {"vocab.txt": "cat\ndog\n"},
        {"vocab.txt": "[UNK]\n[CLS]\n[SEP]\n", "tokenizer_config.json": "{"},
        {"spiece.model": "hello"},
        {"spiece.model": ""},
    ],
)
def test_damaged_files_of_a_folder_are_named(files, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(ModelError):
        Tokenizer.from_huggingface(tmp_path, 9)


@settings(deadline=None)
@given(
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6), cut=st.floats(0, 1)
)
def test_a_damaged_sentencepiece_model_is_read_or_refused_but_never_anything_else(tmp_path_factory, damage, cut):
    content = bytearray(SENTENCES.read_bytes())
    for place, value in damage:
        content[int(place * len(content))] = value
    path = tmp_path_factory.mktemp("damaged") / "spiece.model"
    path.write_bytes(content[: max(1, int(cut * len(content)))])
    with suppress(LexelError):
        assert read_sentencepiece(path).get_vocab_size() > 0


def test_settings_of_a_folder_may_name_tokens_by_objects(tmp_path, merges):
    vocabulary = json.loads(clip_tokenizer(merges).to_json())["model"]["vocab"]
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text(MERGES.replace("heading", "#version: 0.2"))
    names = {"bos_token": {"content": "<start_of_text>"}, "eos_token": "<end_of_text>", "pad_token": "!"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(names))
    tokenizer = Tokenizer.from_huggingface(tmp_path, 5, padded=True)
    assert tokenizer.pad_id == 0
    start, end = vocabulary["<start_of_text>"], vocabulary["<end_of_text>"]
    assert tokenizer.encode(["cat"]) == [[start, vocabulary["cat</w>"], end, 0, 0]]
