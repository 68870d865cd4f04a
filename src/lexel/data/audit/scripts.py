"""Which writing systems captions are in, by the names that Unicode gives to their letters.

Languages that share a script are not distinguished: a caption of five words is too short for that to be sure.
"""

from collections import Counter
from functools import lru_cache
from unicodedata import category, name

NO_LETTERS = "no letters"
_JAPANESE = {"Hiragana", "Katakana"}


def script_of(text: str) -> str:
    """The script of most of the text's letters: "Latin", "Cyrillic", "Han", "Japanese" …; NO_LETTERS where none is.

    Han characters beside kana are Japanese.
    """
    if text.isascii():  # most are, and letter by letter takes fifty times as long
        return "Latin" if any(map(str.isalpha, text)) else NO_LETTERS
    counts = Counter(script for script in map(_script, text) if script is not None)
    kana = sum(counts.pop(script, 0) for script in _JAPANESE)
    if kana:
        counts["Japanese"] = kana + counts.pop("Han", 0)
    return counts.most_common(1)[0][0] if counts else NO_LETTERS


@lru_cache(maxsize=65536)
def _script(sign: str) -> str | None:
    """The script of a letter or mark, None of another sign."""
    if category(sign)[0] not in "LM":
        return None
    first = name(sign, "").partition(" ")[0]
    if first in ("CJK", "IDEOGRAPHIC"):
        return "Han"
    if first in ("COMBINING", "MODIFIER", "VARIATION", "FEMININE", "MASCULINE", "ZERO", ""):
        return None
    return "Latin" if first == "FULLWIDTH" else first.capitalize()
