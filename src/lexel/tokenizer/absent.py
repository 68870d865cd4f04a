"""In the place of a tokenizer that a checkpoint came without: its pictures can be embedded, its texts cannot."""

from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from lexel.errors import UsageError
from lexel.tokenizer.tokenizer import Tokenizer


class AbsentTokenizer(Tokenizer):
    """Refuses every text with the advice on how to get a tokenizer; `why` is the whole message."""

    def __init__(self, why: str, context_length: int) -> None:
        self.why = why
        self.context_length = context_length

    def with_context(self, context_length: int) -> "AbsentTokenizer":
        return AbsentTokenizer(self.why, context_length)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        self._refuse()

    def count_truncated(self, texts: Sequence[str]) -> int:
        self._refuse()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UsageError(self.why)
