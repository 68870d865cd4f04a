"""Keywords, title and description that photo programs write into a picture file: XMP (ISO 16684-1) and IPTC IIM.

Anybody's program writes these. What is damaged, too long or of another kind is taken as absent, and never keeps a
picture from being read. XMP is XML: what declares a document type is not read on, so there are no entities to expand.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple
from xml.parsers import expat

from PIL import Image, IptcImagePlugin

MAX_XMP_BYTES = 2**20
MAX_KEYWORDS = 500  # of one picture
MAX_KEYWORD_CHARACTERS = 200
MAX_DESCRIPTION_CHARACTERS = 4000

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"
_LIGHTROOM = "http://ns.adobe.com/lightroom/1.0/"
_SUBJECT, _TITLE, _DESCRIPTION = f"{_DC} subject", f"{_DC} title", f"{_DC} description"
_HIERARCHY = f"{_LIGHTROOM} hierarchicalSubject"  # such as animals|birds|owl
_ITEM = f"{_RDF} li"

_IPTC_TITLE, _IPTC_KEYWORDS, _IPTC_CAPTION, _IPTC_CHARACTER_SET = (2, 5), (2, 25), (2, 120), (1, 90)
_IPTC_UTF8 = b"\x1b%G"


class EmbeddedWords(NamedTuple):
    """What a picture file says in words."""

    keywords: tuple[str, ...] = ()
    description: str | None = None  # the title and the description, a line each


def read_words(image: Image.Image) -> EmbeddedWords:
    """The words in an opened picture file, whose pixels are not read for it."""
    found = [_from_xmp(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")), _from_iptc(image)]
    keywords = _distinct(keyword for words in found for keyword in words.keywords)
    lines = _distinct(line for words in found for line in (words.description or "").splitlines())
    return EmbeddedWords(keywords[:MAX_KEYWORDS], "\n".join(lines) or None)


def _from_xmp(packet: Any) -> EmbeddedWords:
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "replace")
    if not isinstance(packet, bytes) or len(packet) > MAX_XMP_BYTES:
        return EmbeddedWords()
    reader = _XmpReader()
    with suppress(expat.ExpatError, _DocumentTypeError, ValueError, LookupError):  # what came before the damage counts
        reader.read(packet.strip(b"\0 \r\n\t"))
    hierarchy = [part for line in reader.found[_HIERARCHY] for part in line.split("|")]
    lines = [reader.found[name][0] for name in (_TITLE, _DESCRIPTION) if reader.found[name]]
    return EmbeddedWords(_clean([*reader.found[_SUBJECT], *hierarchy]), _description(lines))


class _DocumentTypeError(Exception):
    """The XML has a document type, which XMP has not."""


class _XmpReader:
    """Gathers the items of the lists that are wanted; of a text in several languages the first one is the default."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {name: [] for name in (_SUBJECT, _HIERARCHY, _TITLE, _DESCRIPTION)}
        self._within: str | None = None  # the property that is being read
        self._depth = 0  # below it
        self._text: list[str] | None = None  # of the item that is being read
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse

    def read(self, packet: bytes) -> None:
        self._parser.Parse(packet, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        for property, text in attributes.items():  # how some programs write a single text
            if property in self.found and text.strip():
                self.found[property].append(text)
        if self._within is not None:
            self._depth += 1
            if name == _ITEM:
                self._text = []
        elif name in self.found:
            self._within, self._depth, self._text = name, 0, []  # some programs write the text without a list

    def _end(self, name: str) -> None:
        if self._within is None:
            return
        if self._text is not None and (name == _ITEM or self._depth == 0):
            text = "".join(self._text).strip()
            if text and len(self.found[self._within]) < MAX_KEYWORDS:
                self.found[self._within].append(text)
            self._text = None
        if self._depth == 0:
            self._within = None
        self._depth -= 1

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _refuse(self, *_: object) -> None:
        raise _DocumentTypeError


def _from_iptc(image: Image.Image) -> EmbeddedWords:
    try:
        found: dict[tuple[int, int], Any] = IptcImagePlugin.getiptcinfo(image) or {}  # type: ignore[arg-type]
    except Exception:  # any: Pillow raises nearly everything at damaged data
        return EmbeddedWords()
    utf8 = found.get(_IPTC_CHARACTER_SET) == _IPTC_UTF8
    keywords, titles, captions = (
        [_decode(value, utf8) for value in _as_list(found.get(record)) if isinstance(value, bytes)]
        for record in (_IPTC_KEYWORDS, _IPTC_TITLE, _IPTC_CAPTION)
    )
    return EmbeddedWords(_clean(keywords), _description([*titles[:1], *captions[:1]]))


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _decode(value: bytes, utf8: bool) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace") if utf8 else value.decode("cp1252", "replace")


def _clean(keywords: Iterable[str]) -> tuple[str, ...]:
    """One line each, without control characters; sentences are no keywords."""
    plain = (_one_line(keyword) for keyword in keywords)
    return _distinct(keyword for keyword in plain if keyword and len(keyword) <= MAX_KEYWORD_CHARACTERS)


def _description(texts: Iterable[str]) -> str | None:
    lines = _distinct(line for line in map(_one_line, texts) if line)
    return "\n".join(line[:MAX_DESCRIPTION_CHARACTERS] for line in lines) or None


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
