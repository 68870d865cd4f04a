"""CLIP's byte-level BPE, made from its list of merges, with the ids of the code that CLIP was published with.

The published tokenizer mends, unescapes and lower-cases a caption, cuts it into pieces with the `regex` package and
merges within each piece. All of that is here, down to what happens to a special token's name inside a caption.
"""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, decoders, models, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend

from lexel.errors import UsageError
from lexel.tokenizer.cleaning import TextRules
from lexel.tokenizer.tokenizer import Tokenizer, damage_named

START, END = "<start_of_text>", "<end_of_text>"
END_OF_WORD = "</w>"
MERGES = 48_894  # of CLIP; the published file lists more than were used
MAX_MERGES_BYTES = 64 << 20  # unpacked; the published file has 3 million
GZIP = b"\x1f\x8b"
FILES = ("bpe_simple_vocab_16e6.txt.gz", "merges.txt", "tokenizer.json")

# Letters and digits of Unicode 17 and later that the `regex` package knows and the library here, whose tables are
# older, does not: without them a piece would end before such a character.
NEW_LETTERS = (
    "558 58b-58c 88f c5c cdc 208f 209d-209f a7ce-a7cf a7d2 a7d4 a7dd a7e2 a7f1 ab6c-ab6d 107bb-107bf 10940-10959 "
    "10ec5-10ec7 10ed9-10eee 11b0a 11db0-11ddb 11df1 16ea0-16eb8 16ebb-16ed3 16ff2-16ff3 187f8-187ff 18cd6-18cda "
    "18d09-18d20 18d80-18df2 18e00-19191 191a0-191d2 1b123-1b128 1b168 1d6a6 1df1f-1df24 1df2b-1df81 1df90-1df96 "
    "1dfcd-1dfff 1e6c0-1e6de 1e6e0-1e6e2 1e6e4-1e6e5 1e6e7-1e6ed 1e6f0-1e6f4 1e6fe-1e6ff 2b73a-2b73f 2b81e "
    "2cea2-2cead 323b0-33479 3d000-3fc3f"
)
NEW_DIGITS = "11de0-11de9 1246f 12475-1247f 12550-12686 16ff4-16ff6"


CLIP_RULES = TextRules(cleaning="lower", special_names="alone")


def clip_tokenizer(merges: Path, context_length: int = 77) -> Tokenizer:
    """CLIP's tokenizer, from OpenAI's `bpe_simple_vocab_16e6.txt.gz`, a `merges.txt` or a `tokenizer.json`.

    A folder that holds one of these will do. Raises UsageError when there is none and ModelError when it is damaged.
    """
    path = _find(merges)
    with damage_named(f"{path} is not a readable list of CLIP's merges"):
        backend = _build(_read_merges(path))
    return Tokenizer(backend, context_length, end_of_text=backend.get_vocab_size() - 1, rules=CLIP_RULES)


def is_merges(path: Path) -> bool:
    """Whether this is a file of merges, packed or plain, and no `tokenizer.json`."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(2) == GZIP or path.suffix == ".txt"


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    for name in FILES:
        if (path / name).is_file():
            return path / name
    what = "has none of its files" if path.is_dir() else "does not exist"
    raise UsageError(
        f"CLIP's tokenizer needs a list of merges, but {path} {what}.\n"
        f"Give the path of {', '.join(FILES[:-1])} or {FILES[-1]}, or of a folder with one of them."
    )


def _read_merges(path: Path) -> list[tuple[str, str]]:
    with open(path, "rb") as file:
        is_packed = file.read(2) == GZIP
    with (gzip.open if is_packed else open)(path, "rb") as file:
        content = file.read(MAX_MERGES_BYTES + 1)
    if len(content) > MAX_MERGES_BYTES:  # unpacked: a few bytes may become any number
        raise ValueError(f"it has more than {MAX_MERGES_BYTES:,} bytes")
    text = content.decode("utf-8")
    if text.lstrip().startswith("{"):
        return parse_merges(json.loads(text)["model"]["merges"])
    return parse_merges(text.split("\n")[1 : MERGES + 1])  # below a heading; splitlines would split at U+0085


def parse_merges(lines: Iterable[str | list[str]]) -> list[tuple[str, str]]:
    """The two tokens that each line joins, given with a space between them or as a list. Raises ValueError."""
    pairs: list[tuple[str, str]] = []
    for line in filter(None, lines):
        first, second = line.split(" ") if isinstance(line, str) else line
        pairs.append((first, second))
    if not pairs:
        raise ValueError("it lists none")
    return pairs


def _build(merges: list[tuple[str, str]]) -> Backend:
    alphabet = _byte_characters()
    tokens = [*alphabet, *(character + END_OF_WORD for character in alphabet), *map("".join, merges), START, END]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    if len(vocabulary) < len(tokens):
        raise ValueError("two merges make the same token")
    backend = Backend(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix=END_OF_WORD))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_pieces()), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.Sequence([decoders.BPEDecoder(END_OF_WORD), decoders.ByteLevel()])
    backend.add_special_tokens([START, END])
    backend.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, vocabulary[START]), (END, vocabulary[END])]
    )
    return backend


def _byte_characters() -> list[str]:
    """A printable character for every byte, in the order in which CLIP numbers them: the printable bytes come first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [*map(chr, printable), *(chr(256 + extra) for extra in range(256 - len(printable)))]


def _pieces() -> str:
    """The published pattern. It ignores case, which in lower-case text lets ſ pass for s and loses U+0345, a mark whose
    other case is the letter ι.
    """
    letter, digit = r"\p{L}" + _ranges(NEW_LETTERS), r"\p{N}" + _ranges(NEW_DIGITS)
    names = "|".join(name.replace("<s", "<[sſ]") for name in (START, END))
    return rf"{names}|'[sſ]|'t|'re|'ve|'m|'ll|'d|[{letter}]+|[{digit}]|[^\s{letter}{digit}\x{{345}}]+"


def _ranges(codes: str) -> str:
    return "".join("-".join(rf"\x{{{code}}}" for code in span.split("-")) for span in codes.split())
