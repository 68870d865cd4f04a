"""Text to token ids, and the training of a byte-level BPE vocabulary on the user's own captions.

Ids are cut to the context length with the end-of-text id kept, and are never padded further than they must be:
a tower pays for the tokens that are there, unless it was trained to see the padding.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as Backend

from lexel.errors import LexelError, ModelError
from lexel.tokenizer.bounds import CHARACTERS_PER_TOKEN, MAX_FILE_BYTES, check_backend
from lexel.tokenizer.cleaning import CLEANING, TextRules

# The end is not number 2, which transformers takes for "the highest number" in CLIP's configurations.
SPECIAL = PAD, END, START = "<pad>", "<end>", "<start>"
# Words with their leading space, runs of digits of at most three, punctuation: a caption's natural pieces.
PIECES = r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"
MAX_WORD_CHARACTERS, MAX_WORDS = 32, 100_000  # that are remembered


class Tokenizer:
    """Turns captions into rows of ids that end with `end_of_text` and fit the context.

    Give the `backend` of the `tokenizers` library, with a post-processor that adds start and end. With a `pad_id` every
    row is filled with it to `context_length`; `fill_id` is what stands behind the end of rows shorter than others.
    """

    def __init__(
        self,
        backend: Backend,
        context_length: int,
        end_of_text: int,
        pad_id: int | None = None,
        rules: TextRules = TextRules(),  # noqa: B008 - frozen
        fill_id: int = 0,
    ) -> None:
        self.backend = backend
        backend.encode_special_tokens = rules.special_names != "anywhere"  # not kept in JSON
        self.context_length = context_length
        self.end_of_text = end_of_text
        self.pad_id = pad_id
        self.rules = rules
        self.fill_id = fill_id
        self._clean = CLEANING[rules.cleaning]
        self._before, self._after = _frame(backend)
        self._words = _Words(backend) if rules.special_names == "alone" else None

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
        backend.train_from_iterator(map(CLEANING["none"], captions), trainer)
        start, end = SPECIAL.index(START), SPECIAL.index(END)  # special tokens get the first ids
        backend.post_processor = processors.TemplateProcessing(
            single=f"{START} $A {END}", special_tokens=[(START, start), (END, end)]
        )
        return cls(backend, context_length, end)

    @classmethod
    def load(
        cls,
        path: Path,
        context_length: int,
        end_of_text: int,
        pad_id: int | None = None,
        rules: TextRules = TextRules(),  # noqa: B008 - frozen
        fill_id: int = 0,
    ) -> "Tokenizer":
        """Read a `tokenizer.json`. Raises ModelError when it is damaged or does not know `end_of_text`."""
        backend = read_backend(path)
        if backend.id_to_token(end_of_text) is None:
            raise ModelError(f"{path} has no token with the id {end_of_text}, which the model expects at the end.")
        return cls(backend, context_length, end_of_text, pad_id, rules, fill_id)

    def __reduce__(self) -> tuple[type["Tokenizer"], tuple[Backend, int, int, int | None, TextRules, int]]:
        return Tokenizer, (
            self.backend,
            self.context_length,
            self.end_of_text,
            self.pad_id,
            self.rules,
            self.fill_id,
        )

    def with_context(self, context_length: int) -> "Tokenizer":
        """The same tokenizer for captions of another greatest length."""
        return Tokenizer(self.backend, context_length, self.end_of_text, self.pad_id, self.rules, self.fill_id)

    @property
    def vocabulary_size(self) -> int:
        return self.backend.get_vocab_size()

    def to_json(self) -> str:
        """The content of `tokenizer.json`. `rules` and `pad_id` are not in it."""
        return self.backend.to_str(pretty=True)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text with start and end, at most `context_length` of them; long texts keep their end token."""
        return [self._fit(row) for row in self._rows(texts)]

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the context."""
        return sum(len(row) > self.context_length for row in self._rows(texts))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(N, T) int64 ids, T the longest of the texts; short rows are filled behind their end token."""
        return self.stack(self.encode(texts))

    def stack(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """Rows of ids as one array (N, T) int64, T the longest row, the others filled with `fill_id` at the end."""
        ids = np.full((len(rows), max(map(len, rows), default=0)), self.fill_id, dtype=np.int64)
        for target, row in zip(ids, rows, strict=True):
            target[: len(row)] = row
        return ids

    def _rows(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, whole, or at least more of them than the context holds. Raises ModelError."""
        most = CHARACTERS_PER_TOKEN * self.context_length
        cleaned = [self._clean(text[:most]) for text in texts]
        if self._words is None:
            with damage_named("The model's tokenizer fails at a text"):
                return [encoding.ids for encoding in self.backend.encode_batch_fast(cleaned)]
        return [[*self._before, *self._look_up(text, self._words), *self._after] for text in cleaned]

    def _look_up(self, text: str, words: "_Words") -> list[int]:
        ids: list[int] = []
        for word in text.split():
            ids += words[word]
            if len(ids) > self.context_length:
                break
        return ids

    def _fit(self, ids: list[int]) -> list[int]:
        if len(ids) > self.context_length:
            ids = [*ids[: self.context_length - len(self._after)], *self._after]
        if self.pad_id is None:
            return ids
        if self.rules.drop_end:
            ids = [self.pad_id if token == self.end_of_text else token for token in ids]
        return [*ids, *[self.pad_id] * (self.context_length - len(ids))]


class _Words(dict[str, list[int]]):
    """The ids of words, each worked out once: for vocabularies without a token that spans a space.

    A piece of a word that is a special token's name gets that token's id.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.pre_tokenizer, self.model = backend.pre_tokenizer, backend.model
        self.special = {token.content: number for number, token in backend.get_added_tokens_decoder().items()}

    def __missing__(self, word: str) -> list[int]:
        ids: list[int] = []
        for piece, _ in self.pre_tokenizer.pre_tokenize_str(word):
            ids += (
                [self.special[piece]] if piece in self.special else [token.id for token in self.model.tokenize(piece)]
            )
        if len(word) <= MAX_WORD_CHARACTERS and len(self) < MAX_WORDS:
            self[word] = ids
        return ids


def read_backend(path: Path) -> Backend:
    """A `tokenizer.json` as the `tokenizers` library has it, without its truncation and padding.

    Raises ModelError when it is damaged, or would grow or search texts without end.
    """
    with damage_named(f"{path} is not a readable tokenizer"):
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"it has more than {MAX_FILE_BYTES:,} bytes")
        backend = Backend.from_str(path.read_text(encoding="utf-8"))
        backend.no_truncation()
        backend.no_padding()
        check_backend(backend)
        return backend


@contextmanager
def damage_named(what: str) -> Iterator[None]:
    """Turn whatever reading a damaged file ends in into a ModelError; our own errors pass."""
    try:
        yield
    except LexelError:
        raise
    except BaseException as error:  # the library raises bare Exception, or panics, which is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ModelError(f"{what}: {error or type(error).__name__}") from None


def _frame(backend: Backend) -> tuple[list[int], list[int]]:
    """The ids that the post-processor puts before and behind every caption."""
    encoding = backend.encode("a")
    content = [place for place, added in enumerate(encoding.special_tokens_mask) if not added]
    if not content:  # a vocabulary that has nothing for "a"
        return encoding.ids[:-1], encoding.ids[-1:]
    return encoding.ids[: content[0]], encoding.ids[content[-1] + 1 :]
