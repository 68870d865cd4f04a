"""Token ids of Hugging Face folders beside those of transformers, with small vocabularies made here."""

import html
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import ftfy
import pytest
import transformers
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers, trainers
from varied_text import varied_texts

from lexel.tokenizer import TextRules, Tokenizer, huggingface_tokenizer

CONTEXT = 24
GOLDEN = Path(__file__).parent / "golden"
TEXTS = [text for text in varied_texts(6_000, seed=5, surrogates=False) if len(text) < 2_000]


Reference = Callable[[list[str]], list[list[int]]]


def differing(tokenizer: Tokenizer, reference: Reference) -> list[str]:
    rows = zip(TEXTS, tokenizer.encode(TEXTS), reference(TEXTS), strict=True)
    return [text for text, ours, theirs in rows if ours != theirs]


def transformers_ids(tokenizer, padded: bool) -> Reference:
    def ids(texts: list[str]) -> list[list[int]]:
        padding = "max_length" if padded else False
        return tokenizer(texts, max_length=CONTEXT, truncation=True, padding=padding).input_ids

    return ids


@cache  # learning a vocabulary takes longer than all that is asked of it
def bpe(end_of_word: str = "") -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-level vocabulary and its merges."""
    backend = Backend(models.BPE(end_of_word_suffix=end_of_word))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900, initial_alphabet=alphabet, end_of_word_suffix=end_of_word, show_progress=False
    )
    backend.train_from_iterator(TEXTS, trainer)
    vocabulary = backend.get_vocab()
    for letter in alphabet:
        vocabulary.setdefault(letter + end_of_word, len(vocabulary))
    return vocabulary, [tuple(merge) for merge in json.loads(backend.to_str())["model"]["merges"]]


def with_names(vocabulary: dict[str, int], *names: str) -> dict[str, int]:
    """The vocabulary with special tokens in front."""
    shifted = {token: number + len(names) for token, number in vocabulary.items()}
    return {name: number for number, name in enumerate(names)} | shifted


@cache
def unigram(*names: str) -> list[tuple[str, float]]:
    backend = Backend(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=900, special_tokens=list(names), unk_token="<unk>", show_progress=False
    )
    plain = [text for text in TEXTS if text.isprintable() and max(text, default=" ") < "\u0400"]
    backend.train_from_iterator(plain, trainer)
    return [(token, score) for token, score in json.loads(backend.to_str())["model"]["vocab"]]


def make_clip():
    vocabulary, pairs = bpe("</w>")
    names = ("<|startoftext|>", "<|endoftext|>")
    return transformers.CLIPTokenizer(with_names(vocabulary, *names), pairs)


def make_roberta():
    vocabulary, pairs = bpe()
    return transformers.RobertaTokenizer(with_names(vocabulary, "<s>", "<pad>", "</s>", "<unk>", "<mask>"), pairs)


@cache
def word_pieces(lower: bool) -> dict[str, int]:
    backend = Backend(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lower)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=900, special_tokens=special, show_progress=False)
    backend.train_from_iterator(TEXTS, trainer)
    return backend.get_vocab()


def make_bert(lower: bool = True):
    return transformers.BertTokenizer(word_pieces(lower), do_lower_case=lower)


def make_t5():
    return transformers.T5Tokenizer(unigram("<pad>", "</s>", "<unk>"), extra_ids=0)


def make_xlm_roberta():
    return transformers.XLMRobertaTokenizer(unigram("<s>", "<pad>", "</s>", "<unk>", "<mask>"))


def make_nllb():
    vocabulary, pairs = bpe()
    names = ("<s>", "<pad>", "</s>", "<unk>", "eng_Latn", "deu_Latn", "<mask>")
    return transformers.NllbTokenizer(with_names(vocabulary, *names), pairs, src_lang="deu_Latn")


def make_gemma(**settings: bool):
    vocabulary, pairs = bpe()
    names = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
    cls = transformers.GemmaTokenizer
    return cls(with_names(vocabulary, *names), pairs, padding_side="right", **settings)


FOREIGN = {
    "CLIP": make_clip,
    "RoBERTa": make_roberta,
    "BERT": make_bert,
    "BERT, cased": lambda: make_bert(lower=False),
    "T5": make_t5,
    "XLM-RoBERTa": make_xlm_roberta,
    "NLLB": make_nllb,
    "Gemma": lambda: make_gemma(add_bos_token=True),
    "Gemma as SigLIP 2 has it": lambda: make_gemma(add_bos_token=False, add_eos_token=True),
}


@pytest.fixture(scope="module", params=FOREIGN)
def folder(request, tmp_path_factory) -> Path:
    """The folder that transformers saves of this kind of tokenizer."""
    path = tmp_path_factory.mktemp("tokenizer")
    FOREIGN[request.param]().save_pretrained(path)
    return path


@pytest.mark.parametrize("padded", [False, True], ids=["as long as they are", "padded"])
def test_a_hugging_face_folder_gives_the_ids_of_transformers(folder, padded):
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    ours = huggingface_tokenizer(folder, CONTEXT, padded=padded)
    assert ours.end_of_text == (theirs.sep_token_id if theirs.eos_token_id is None else theirs.eos_token_id)
    assert len({len(row) for row in ours.encode(TEXTS[:50])}) == 1 or not padded
    assert differing(ours, transformers_ids(theirs, padded)) == []


def test_siglip_2_folds_case(tmp_path):
    theirs = make_gemma(add_bos_token=False, add_eos_token=True)
    theirs.save_pretrained(tmp_path)
    theirs = transformers.Siglip2Tokenizer.from_pretrained(tmp_path, padding_side="right")
    ours = huggingface_tokenizer(tmp_path, CONTEXT, padded=True, lower=True)
    assert differing(ours, transformers_ids(theirs, True)) == []
    assert ours.encode(["A CAT"]) == ours.encode(["a cat"])


def write_clip(folder: Path) -> None:
    vocabulary, pairs = bpe("</w>")
    names = ("<|startoftext|>", "<|endoftext|>")
    (folder / "vocab.json").write_text(json.dumps(with_names(vocabulary, *names)))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, pairs)))


def write_roberta(folder: Path) -> None:
    vocabulary, pairs = bpe()
    names = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    (folder / "vocab.json").write_text(json.dumps(with_names(vocabulary, *names)))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, pairs)))


def write_bert(folder: Path) -> None:
    vocabulary = make_bert().get_vocab()
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in sorted(vocabulary, key=vocabulary.__getitem__)))


@pytest.mark.parametrize(
    ("write", "cls"),
    [
        (write_clip, transformers.CLIPTokenizer),
        (write_roberta, transformers.RobertaTokenizer),
        (write_bert, transformers.BertTokenizer),
    ],
)
def test_an_old_folder_without_tokenizer_json_gives_the_ids_of_transformers(write, cls, tmp_path):
    write(tmp_path)
    theirs = cls.from_pretrained(tmp_path)
    assert differing(huggingface_tokenizer(tmp_path, CONTEXT), transformers_ids(theirs, False)) == []


def test_clipa_overwrites_the_end_with_padding(tmp_path):
    theirs = make_bert()
    theirs.save_pretrained(tmp_path)
    rules = TextRules(cleaning="whitespace", special_names="anywhere", drop_end=True)
    ours = huggingface_tokenizer(tmp_path, CONTEXT, rules=rules, padded=True)

    def reference(texts: list[str]) -> list[list[int]]:
        clean = [" ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split()) for text in texts]
        rows = transformers_ids(theirs, True)(clean)
        return [[0 if number == theirs.sep_token_id else number for number in row] for row in rows]

    assert differing(ours, reference) == []


def test_a_sentencepiece_model_alone_gives_the_ids_of_sentencepiece(tmp_path):
    (tmp_path / "spiece.model").write_bytes((GOLDEN / "sentencepiece.model").read_bytes())
    ours = huggingface_tokenizer(tmp_path, 10_000)
    rows = json.loads((GOLDEN / "sentencepiece.json").read_text())
    assert [ours.encode([text])[0] for text, _ in rows] == [ids for _, ids in rows]


def test_siglips_cleaning_drops_case_and_punctuation_before_its_sentencepiece(tmp_path):
    (tmp_path / "spiece.model").write_bytes((GOLDEN / "sentencepiece.model").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "SiglipTokenizer", "pad_token": "</s>"}')
    ours = huggingface_tokenizer(tmp_path, 16, rules=TextRules(cleaning="siglip"), padded=True)
    plain = huggingface_tokenizer(tmp_path, 16)
    assert ours.pad_id == ours.end_of_text == 1
    [row] = ours.encode([" A dog_&\tcat, on  the (beach)! "])
    [expected] = plain.encode(["a dog cat on the beach"])
    assert row == expected + [1] * (16 - len(expected))
