"""Many texts without a Python object for each."""

from array import array
from collections.abc import Iterable

import numpy as np


class Texts:
    """Many texts in one array of bytes."""

    def __init__(self, content: np.ndarray, ends: np.ndarray) -> None:
        self.content = content  # uint8, UTF-8
        self.ends = ends  # (N,) int64

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> str:
        start = self.ends[row - 1] if row else 0
        return self.content[start : self.ends[row]].tobytes().decode("utf-8", "surrogatepass")

    @staticmethod
    def pack(texts: Iterable[str], errors: str = "replace") -> tuple[np.ndarray, np.ndarray]:
        """The content and the ends of these texts; `errors` says what halves of surrogate pairs become."""
        content, ends = bytearray(), array("q")
        for text in texts:
            content += text.encode("utf-8", errors)
            ends.append(len(content))
        return np.frombuffer(content, np.uint8), np.frombuffer(ends, np.int64)
