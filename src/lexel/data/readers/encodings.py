"""The encoding of bytes that are not UTF-8: charset-normalizer finds the script, the letters say which Latin encoding.

Short texts are guesses, so whoever reads one shows it, and `data.encoding` names another.
"""

import codecs
import re

from lexel.errors import UsageError, did_you_mean
from lexel.extras import install_command

# What people's tables are in. charset-normalizer chooses among these alone: of ninety it finds rare ones too often.
_CANDIDATES = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp874", "koi8_r"),
    *("gb18030", "big5", "cp932", "euc_jp", "cp949"),
)
_LATIN = {"cp1252", "cp1250", "cp1254"}
_LATIN_LETTERS = {  # in each language, beyond a to z; the first of two that fit equally well is taken
    "cp1252": ("àâçéèêëîïôùûüœ", "äöüß", "áéíóúñü", "áâãàçéêíóôõú", "àèéìòù", "åäöæøé", "ëéïöü"),
    "cp1250": ("áčďéěíňóřšťúůýž", "ąćęłńóśźż", "áéíóöőúüű", "ăâîşţ", "čšžćđ", "áäčďéíĺľňóôŕšťúýž"),
    "cp1254": ("çğıöşüâî",),
}
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
SAMPLE_BYTES = 65536  # that are looked at
MIN_ZEROS = 0.2  # share of the bytes of one side; fewer are stray ones
LATIN_PRIOR = 0.02  # by which another encoding must explain more letters than Windows-1252, which most tables are in
MIN_HEBREW_SHARE = 0.98  # of the letters; the rest are points and quotation marks
MIN_BYTES = 4  # beyond ASCII; fewer do not suffice, and most such texts are Western
MIN_HEBREW_LETTERS = 30  # fewer could be Russian without its last five letters
_HEBREW = re.compile(rb"[\xe0-\xfa]+")
_BETWEEN_LETTERS = re.compile(r"(?<=[a-z])[¹³¿£¥¶¼¾](?=[a-z])")  # Polish letters, read as Windows-1252
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")


def check_encoding(name: str) -> str:
    """The name, if it is an encoding that Python knows. Raises UsageError."""
    try:
        if codecs.lookup(name)._is_text_encoding:
            return name
    except (LookupError, ValueError):
        pass
    near = did_you_mean(name.lower(), ("utf-8", "utf-16", "latin-1", *_CANDIDATES, "gbk", "shift_jis", "windows-1251"))
    raise UsageError(f'There is no encoding "{name}".{near} Examples: utf-8, cp1252, gb18030, shift_jis, cp1251.')


def find_encoding(content: bytes) -> str:
    """The encoding of a text: by its mark, by its zeros (UTF-16 without a mark), UTF-8, or the likeliest older one.

    find_encoding("Straße".encode("cp1252"))  →  "cp1252"
    """
    return find_unicode(content) or _find_older(content)


def find_unicode(content: bytes) -> str | None:
    """The form of Unicode that a text is in, None where it is in an older encoding."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    if zeros := _utf_16_by_zeros(content[:SAMPLE_BYTES]):
        return zeros
    try:
        content.decode()
    except UnicodeDecodeError:
        return None
    return "utf-8"


def can_detect() -> bool:
    """Whether charset-normalizer is there; without it everything older than UTF-8 is taken for Windows-1252."""
    try:
        import charset_normalizer  # noqa: F401 - asked for only
    except ImportError:
        return False
    return True


def how_to_detect() -> str:
    """What to install in order to tell encodings apart."""
    return install_command("charset_normalizer")


def _utf_16_by_zeros(content: bytes) -> str | None:
    """Blanks, commas and line ends of UTF-16 have a zero byte each, all on the same side."""
    even, odd = content[0::2].count(0), content[1::2].count(0)
    if max(even, odd) < MIN_ZEROS * len(content) / 2 or min(even, odd) * 10 > max(even, odd):
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    text = content[: len(content) // 2 * 2].decode(encoding, "ignore")
    return encoding if any(sign in text for sign in "\n,;\t|:") else None


def _find_older(content: bytes) -> str:
    telling = _telling_lines(content)
    if not can_detect() or sum(map(len, _BEYOND_ASCII.findall(telling))) < MIN_BYTES:
        return _or_latin_1(content, "cp1252")
    from charset_normalizer import from_bytes

    if _is_hebrew(telling):
        return _or_latin_1(content, "cp1255")
    best = from_bytes(telling, cp_isolation=list(_CANDIDATES)).best()
    found = best.encoding if best is not None else "cp1252"
    return _or_latin_1(content, _nearest_latin(telling) if found in _LATIN else found)


def _telling_lines(content: bytes) -> bytes:
    """The head of the content, and then lines that hold more than ASCII, up to the size of a sample."""
    taken = content[:SAMPLE_BYTES]
    if not taken.isascii():
        return taken
    lines = [line for line in content.split(b"\n") if not line.isascii()]
    return b"\n".join(lines)[:SAMPLE_BYTES]


def _is_hebrew(content: bytes) -> bool:
    """Windows-1255 has its letters where Windows-1251 has the small Russian ones, but for the last five."""
    letters = b"".join(_BEYOND_ASCII.findall(content))
    in_range = b"".join(_HEBREW.findall(content))
    words = [len(word) for word in _BEYOND_ASCII.findall(content)]
    enough = len(letters) >= MIN_HEBREW_LETTERS and len(letters) > 2 * len(words)
    return enough and len(in_range) >= MIN_HEBREW_SHARE * len(letters)


def _nearest_latin(content: bytes) -> str:
    """The encoding in which most letters beyond ASCII belong to one language."""
    best, most = "cp1252", -1.0
    for encoding, languages in _LATIN_LETTERS.items():
        letters = [
            letter for letter in content.decode(encoding, "replace").lower() if letter.isalpha() and letter > "\x7f"
        ]
        share = max(sum(letter in language for letter in letters) for language in languages) / max(1, len(letters))
        share += LATIN_PRIOR if encoding == "cp1252" else 0
        if share > most:
            best, most = encoding, share
    return best


def _or_latin_1(content: bytes, encoding: str) -> str:
    """The encoding, or Latin-1, in which everything can be read, where it cannot be."""
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return "latin-1" if encoding == "cp1252" else _or_latin_1(content, "cp1252")
    return encoding
