import gzip
import html
import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import ftfy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

from lexel.errors import LexelError, ModelError, UsageError
from lexel.tokenizer import AbsentTokenizer, TextRules, Tokenizer, clip_tokenizer, huggingface_tokenizer
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
        huggingface_tokenizer(tmp_path, 9)
    shutil.copy(SENTENCES, tmp_path / "sentencepiece.bpe.model")
    with pytest.raises(UsageError, match=r"not the model's own. Fetch the model's tokenizer\.json"):
        huggingface_tokenizer(tmp_path, 9)


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
        huggingface_tokenizer(tmp_path, 9)


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
    tokenizer = huggingface_tokenizer(tmp_path, 5, padded=True)
    assert tokenizer.pad_id == 0
    start, end = vocabulary["<start_of_text>"], vocabulary["<end_of_text>"]
    assert tokenizer.encode(["cat"]) == [[start, vocabulary["cat</w>"], end, 0, 0]]


def written(path: Path, *, normalizer: Any = None, pattern: str = "x", post: Any = None, **sections: Any) -> Path:
    """A `tokenizer.json` of a few words."""
    backend = Backend(models.WordLevel({"<unk>": 0, "</s>": 1, "a": 2}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    content = json.loads(backend.to_str()) | {"normalizer": normalizer, "post_processor": post} | sections
    path.write_text(json.dumps(content))
    return path


def replace(text: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"String": text}, "content": content}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"normalizer": {"type": "Sequence", "normalizers": [replace("a", "aa")] * 40}}, "times as long"),
        ({"normalizer": replace("a", "a" * 5000)}, "make a text up to 5,000 times as long"),
        ({"pattern": "(a+)+$"}, "retry-limit"),
        ({"post": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 9,
                   "pair": [], "special_tokens": {}}}, "the text in several times"),
    ],
    ids=["doubled forty times", "one for many", "backtracking", "text nine times"],
)  # fmt: skip
def test_a_file_that_would_grow_or_search_texts_without_end_is_refused(tmp_path, changes, told):
    with pytest.raises(ModelError, match=rf"tokenizer\.json is not a readable tokenizer: .*{told}"):
        Tokenizer.load(written(tmp_path / "tokenizer.json", **changes), 9, 1)


def test_padding_to_a_length_without_end_is_not_done(tmp_path):
    padding = {"strategy": {"Fixed": 10**12}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
               "pad_type_id": 0, "pad_token": "<unk>"}  # fmt: skip
    tokenizer = Tokenizer.load(written(tmp_path / "tokenizer.json", padding=padding), 9, 1)
    assert tokenizer.encode(["a"]) == [[2]]


def test_what_the_library_panics_at_is_an_error_of_ours(tmp_path):
    tokenizer = Tokenizer.load(written(tmp_path / "tokenizer.json", pattern="(?:qq|qqq)+z"), 9, 1)
    with pytest.raises(ModelError, match=r"tokenizer fails at a text: .*retry-limit"):
        tokenizer.encode(["q" * 300])


def test_a_text_without_end_is_cut_before_it_is_looked_at(tmp_path):
    tokenizer = Tokenizer.load(written(tmp_path / "tokenizer.json", pattern=" "), 9, 1)
    seen: list[int] = []
    tokenizer._clean = lambda text: seen.append(len(text)) or text
    assert len(tokenizer.encode(["a " * 10_000_000])[0]) == 9
    assert seen == [9000]


def test_a_packed_list_of_merges_is_not_unpacked_without_end(tmp_path):
    (tmp_path / "bpe.gz").write_bytes(gzip.compress(b"a b\n" * 20_000_000, 1))
    with pytest.raises(ModelError, match="it has more than"):
        clip_tokenizer(tmp_path / "bpe.gz")


def test_texts_of_a_model_without_tokenizer_are_refused_in_every_way():
    absent = AbsentTokenizer("it came without", 9).with_context(5)
    assert absent.context_length == 5
    for refused in (absent, absent.encode, absent.count_truncated):
        with pytest.raises(UsageError, match="it came without"):
            refused(["a"])
