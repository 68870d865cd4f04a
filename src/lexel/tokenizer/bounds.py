"""What a tokenizer from a file may do to a text: it must not grow it without end, nor search it without end.

A `tokenizer.json` holds rules that are run on every text: replacements, which may follow each other and multiply, and
regular expressions, which may try exponentially many ways to match. Both are looked at once, when it is read.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer as Backend

MAX_GROWTH = 1000  # times, of a text by all its replacements; the largest of a published tokenizer is 33
MAX_ADDED_TOKENS = 64  # around a text
MAX_FILE_BYTES = 256 << 20  # the largest published tokenizer.json, Gemma's, has 34 million
# As many characters of a text are looked at, for each token of the context: more tokens than fit into it, whatever the
# text, since no vocabulary has tokens nearly as long.
CHARACTERS_PER_TOKEN = 1000
_UNICODE_GROWTH = {"NFD": 4, "NFKD": 18, "NFC": 3, "NFKC": 18}  # characters from one, at most
# On which a pattern with nested repetitions gives up: many of one kind, then another.
_PROBES = [f"{kind * 32}{end}" for kind in ("a", "x", "1", " ", "!", "ab", "é") for end in ("!", "a", "\n")]


def check_backend(backend: Backend) -> None:
    """Raise ValueError where the tokenizer would grow texts without end; try its patterns on hard texts.

    Whatever the library raises on those, panics included, passes.
    """
    if backend.normalizer is not None:
        growth = _growth(json.loads(backend.normalizer.__getstate__()))
        if growth > MAX_GROWTH:
            raise ValueError(f"its replacements make a text up to {growth:,.0f} times as long")
    if backend.post_processor is not None:
        added = backend.num_special_tokens_to_add(False)
        if added > MAX_ADDED_TOKENS or _repeats(json.loads(backend.post_processor.__getstate__())) > 1:
            raise ValueError(f"it puts {added:,} tokens around every text, or the text in several times")
    for probe in _PROBES:
        backend.encode(probe)


def _growth(rule: Mapping[str, Any]) -> float:
    """By how much a normalizer may multiply the length of a text."""
    match rule.get("type"):
        case "Sequence":
            product = 1.0
            for part in rule["normalizers"]:
                product *= _growth(part)
            return product
        case "Replace":
            literal = rule["pattern"].get("String")  # else a regular expression, which may match nothing at all
            return max(1.0, len(rule["content"]) / len(literal)) if literal else 1.0 + len(rule["content"])
        case "Precompiled":
            table = base64.b64decode(rule["precompiled_charsmap"])
            replacements = table[4 + int.from_bytes(table[:4], "little") :]
            return max(map(len, replacements.split(b"\0")), default=1) or 1
        case kind:
            return _UNICODE_GROWTH.get(str(kind), 1)


def _repeats(rule: Mapping[str, Any]) -> int:
    """How often a post-processor puts the text in."""
    if rule.get("type") == "Sequence":
        return max((_repeats(part) for part in rule["processors"]), default=1)
    return sum("Sequence" in part for part in rule.get("single", ()) if isinstance(part, Mapping))
