"""Text to token ids, and the training of a byte-level BPE vocabulary on the user's own captions.

Ids are cut to the context length with the end-of-text id kept, and are never padded further than they must be:
a tower pays for the tokens that are there.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as Backend

from lexel.errors import ModelError

SPECIAL = PAD, START, END = "<pad>", "<start>", "<end>"
# Words with their leading space, runs of digits of at most three, punctuation: a caption's natural pieces.
PIECES = r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"


class Tokenizer:
    """Turns captions into rows of ids that start with the start token and end with `end_of_text`.

    Give the `backend` of the `tokenizers` library, with a post-processor that adds start and end.
    """

    def __init__(self, backend: Backend, context_length: int, end_of_text: int) -> None:
        self.backend = backend
        backend.encode_special_tokens = True  # "<end>" in a caption is five characters, not the end; not kept in JSON
        self.context_length = context_length
        self.end_of_text = end_of_text

    @classmethod
    def train(cls, captions: Iterable[str], vocabulary_size: int, context_length: int) -> "Tokenizer":
        """Learn a byte-level BPE (Sennrich et al. 2016) of at most `vocabulary_size` entries from the captions.

        Case, Unicode form and repeated spaces are folded. The same captions always give the same vocabulary.
        """
        from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

        backend = Backend(models.BPE())
        backend.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(), normalizers.Lowercase()]
        )
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary_size,
            min_frequency=2,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        backend.train_from_iterator(captions, trainer)
        start, end = SPECIAL.index(START), SPECIAL.index(END)  # special tokens get the first ids
        backend.post_processor = processors.TemplateProcessing(
            single=f"{START} $A {END}", special_tokens=[(START, start), (END, end)]
        )
        return cls(backend, context_length, end)

    @classmethod
    def load(cls, path: Path, context_length: int, end_of_text: int) -> "Tokenizer":
        """Read a `tokenizer.json`. Raises ModelError when it is damaged or does not know `end_of_text`."""
        try:
            backend = Backend.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:  # the library raises bare Exception for every kind of damage
            raise ModelError(f"{path} is not a readable tokenizer: {error}") from None
        if backend.id_to_token(end_of_text) is None:
            raise ModelError(f"{path} has no token with the id {end_of_text}, which the model expects at the end.")
        return cls(backend, context_length, end_of_text)

    def __reduce__(self) -> tuple[type["Tokenizer"], tuple[Backend, int, int]]:
        return Tokenizer, (self.backend, self.context_length, self.end_of_text)

    @property
    def vocabulary_size(self) -> int:
        return self.backend.get_vocab_size()

    def to_json(self) -> str:
        """The content of `tokenizer.json`."""
        return self.backend.to_str(pretty=True)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text with start and end, at most `context_length` of them; long texts keep their end token."""
        return [self._cut(encoding.ids) for encoding in self.backend.encode_batch_fast(list(texts))]

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the context."""
        return sum(len(encoding.ids) > self.context_length for encoding in self.backend.encode_batch_fast(list(texts)))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(N, T) int64 ids, T the longest of the texts; short rows are filled with 0 behind their end token."""
        return pad(self.encode(texts))

    def _cut(self, ids: list[int]) -> list[int]:
        if len(ids) <= self.context_length:
            return ids
        return [*ids[: self.context_length - 1], self.end_of_text]


def pad(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Stack rows of ids into (N, T) int64, T the longest row, filled with 0 at the end."""
    ids = np.zeros((len(rows), max(map(len, rows), default=0)), dtype=np.int64)
    for target, row in zip(ids, rows, strict=True):
        target[: len(row)] = row
    return ids
