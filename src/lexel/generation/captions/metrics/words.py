"""What counts as a word: runs of letters and digits, in lower case; punctuation does not count.

The published evaluation of COCO cuts with Stanford's PTB tokenizer and then drops punctuation. On plain sentences the
words are the same but for contractions, which stay whole here.
"""

import re
from collections import Counter
from collections.abc import Sequence

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(caption: str) -> list[str]:
    """The words of a caption, in order."""
    return WORD.findall(caption.lower())


def ngrams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """How often each run of `n` words occurs."""
    return Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))
