"""What a tokenizer wants of a caption beyond what the `tokenizers` library does; kept with the model.

Each way of cleaning is the one that a published family of models was trained with, to the letter.
"""

import html
import string
from collections.abc import Callable
from typing import Literal

from lexel.config import Config

NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class TextRules(Config):
    """How captions are treated outside `tokenizer.json`. The defaults are those of Lexel's own tokenizers."""

    # "lower": CLIP. "whitespace" and "canonical": OpenCLIP's with foreign tokenizers and with SigLIP's.
    # "siglip": SigLIP as transformers has it.
    cleaning: Literal["none", "whitespace", "lower", "canonical", "siglip"] = "none"
    # A special token's name in a caption is spelled out like any text, or stands for the token: where it is a piece
    # alone (CLIP, whose words are looked up one by one), or anywhere (transformers).
    special_names: Literal["spelled", "alone", "anywhere"] = "spelled"
    drop_end: bool = False  # the end token is counted, then overwritten with padding (CLIPA)


def mend(text: str) -> str:
    """The text with wrongly decoded characters repaired and HTML entities, even doubled ones, resolved."""
    if text.isascii() and text.isprintable() and "&" not in text:
        return text  # neither step finds anything here
    import ftfy

    return html.unescape(html.unescape(ftfy.fix_text(text)))


def _without_surrogates(text: str) -> str:
    """Halves of UTF-16 pairs, which escapes in JSON bring in and no tokenizer can take, joined or replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _whitespace(text: str) -> str:
    return " ".join(mend(text).split())


def _lower(text: str) -> str:
    return _whitespace(text).lower()


def _canonical(text: str) -> str:
    return " ".join(mend(text).replace("_", " ").translate(NO_PUNCTUATION).lower().split())


def _siglip(text: str) -> str:
    bare = text.replace("▁", " ").lower().translate(NO_PUNCTUATION)
    return " ".join(_without_surrogates(bare).split())


CLEANING: dict[str, Callable[[str], str]] = {
    "none": _without_surrogates,
    "whitespace": _whitespace,
    "lower": _lower,
    "canonical": _canonical,
    "siglip": _siglip,
}
