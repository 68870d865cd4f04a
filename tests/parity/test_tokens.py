"""CLIP's token ids beside those of the published code, restated here."""

import gzip
import html
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import ftfy
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers, trainers
from varied_text import varied_texts

from lexel.tokenizer import Tokenizer, clip_tokenizer

SHARED = Path(__file__).parents[3] / "shared/data/clip/bpe_simple_vocab_16e6.txt.gz"
CONTEXT = 24


class PublishedClip:
    """CLIP's tokenizer as its authors wrote it down, word for word in what it computes and slow."""

    def __init__(self, path: Path) -> None:
        lines = gzip.decompress(path.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
        self.merges = [tuple(line.split()) for line in lines if line]
        shown = [byte for byte in range(256) if chr(byte).isprintable() and byte not in (0x20, 0xA0, 0xAD)]
        hidden = [byte for byte in range(256) if byte not in shown]
        self.letter = {byte: chr(byte) for byte in shown} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}
        single = [self.letter[byte] for byte in (*shown, *hidden)]
        names = ["<start_of_text>", "<end_of_text>"]
        tokens = [*single, *(token + "</w>" for token in single), *map("".join, self.merges), *names]
        self.ids = {token: number for number, token in enumerate(tokens)}
        self.rank = {pair: number for number, pair in enumerate(self.merges)}
        self.known = {name: [self.ids[name]] for name in names}
        self.pattern = regex.compile(
            r"<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE
        )

    def __call__(self, text: str, context_length: int) -> list[int]:
        text = html.unescape(html.unescape(ftfy.fix_text(text)))
        text = " ".join(text.split()).lower()
        inner = [number for piece in self.pattern.findall(text) for number in self._piece(piece)]
        row = [self.ids["<start_of_text>"], *inner, self.ids["<end_of_text>"]]
        return row if len(row) <= context_length else [*row[: context_length - 1], row[-1]]

    def _piece(self, piece: str) -> list[int]:
        if piece not in self.known:
            word = [self.letter[byte] for byte in piece.encode()]
            word[-1] += "</w>"
            while pairs := [pair for pair in pairwise(word) if pair in self.rank]:
                first, second = min(pairs, key=lambda pair: self.rank[pair])
                merged: list[str] = []
                for token in word:  # left to right, every token joined once
                    if token == second and merged and merged[-1] == first:
                        merged[-1] += second
                    else:
                        merged.append(token)
                word = merged
            self.known[piece] = [self.ids[token] for token in word]
        return self.known[piece]


def write_merges(path: Path, count: int = 800) -> Path:
    """A list of merges of CLIP's kind, learned from the made-up texts."""
    backend = Backend(models.BPE(end_of_word_suffix="</w>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(vocab_size=count, end_of_word_suffix="</w>", show_progress=False)
    backend.train_from_iterator(varied_texts(3000, seed=1, surrogates=False), trainer)
    merges = json.loads(backend.to_str())["model"]["merges"]
    lines = ["heading", *(" ".join(merge) for merge in merges), ""]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


@pytest.fixture(scope="module")
def merges(tmp_path_factory) -> Path:
    return write_merges(tmp_path_factory.mktemp("merges") / "merges.txt.gz")


def differing(tokenizer: Tokenizer, reference: Callable[[str], Sequence[int]], texts: Sequence[str]) -> list[str]:
    rows = tokenizer.encode(texts)
    return [text for text, row in zip(texts, rows, strict=True) if row != list(reference(text))]


def test_clips_ids_are_the_published_ones_for_20_000_texts():
    if not SHARED.is_file():
        pytest.skip(f"CLIP's merges are not at {SHARED}; the test below does the same with few")
    reference, tokenizer = PublishedClip(SHARED), clip_tokenizer(SHARED)
    assert (tokenizer.vocabulary_size, tokenizer.end_of_text) == (49408, 49407)
    assert differing(tokenizer, lambda text: reference(text, 77), list(varied_texts(20_000, seed=2))) == []


def test_clips_ids_are_the_published_ones_for_any_merges(merges):
    reference, tokenizer = PublishedClip(merges), clip_tokenizer(merges, CONTEXT)
    assert len(reference.merges) > 200
    assert differing(tokenizer, lambda text: reference(text, CONTEXT), list(varied_texts(5_000, seed=3))) == []


@pytest.fixture(scope="module")
def both_clips(merges) -> tuple[PublishedClip, Tokenizer]:
    return PublishedClip(merges), clip_tokenizer(merges, CONTEXT)


@given(text=st.text(max_size=60))
@settings(max_examples=500, deadline=None)
def test_clips_ids_are_the_published_ones_for_what_hypothesis_finds(both_clips, text):
    reference, tokenizer = both_clips
    assert tokenizer.encode([text]) == [reference(text, CONTEXT)]


def test_every_character_falls_into_the_pieces_that_the_published_pattern_makes(both_clips):
    reference, tokenizer = both_clips
    split = tokenizer.backend.pre_tokenizer
    letters = "".join(chr(code) for code in range(0x40000) if not 0xD800 <= code < 0xE000).lower()
    # A letter, a digit or a sign beside it shows what the character is taken for.
    text = " ".join(f"a{letter}b 1{letter} !{letter}" for letter in letters if not letter.isspace())
    ours = [text[start:end] for _, (start, end) in split.pre_tokenize_str(text)]  # pyright: ignore[reportOptionalMemberAccess]
    assert ours == reference.pattern.findall(text)


def test_reading_a_saved_tokenizer_keeps_the_published_ids(both_clips, tmp_path):
    reference, tokenizer = both_clips
    (tmp_path / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    again = Tokenizer.load(tmp_path / "tokenizer.json", CONTEXT, tokenizer.end_of_text, rules=tokenizer.rules)
    assert differing(again, lambda text: reference(text, CONTEXT), list(varied_texts(2_000, seed=4))) == []
