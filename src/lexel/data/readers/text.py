"""Text of unknown encoding."""

from collections.abc import Sequence

from lexel.data.readers.encodings import (
    SAMPLE_BYTES,
    can_detect,
    check_encoding,
    find_encoding,
    find_unicode,
    how_to_detect,
)

_SHOWN = 60  # characters of a caption in a note
_SAMPLE_FILES = 200  # of small texts, from which their common encoding is found


def decode_text(content: bytes, encoding: str | None = None) -> tuple[str, str]:
    """The text and its encoding, the one given or found out. Raises UnicodeDecodeError where the one given is wrong."""
    if encoding is not None:
        return content.decode(check_encoding(encoding)), encoding
    found = find_encoding(content)
    return content.decode(found, "replace"), found


def decode_texts(contents: Sequence[bytes], encoding: str | None = None) -> tuple[list[str], str]:
    """Small texts of one origin; those that are not Unicode are in the one encoding that is found from all of them."""
    if encoding is not None:
        return [content.decode(check_encoding(encoding), "replace") for content in contents], encoding
    known = [find_unicode(content) for content in contents]
    older = [content for content, form in zip(contents, known, strict=True) if form is None]
    found = find_encoding(b"\n".join(older[:_SAMPLE_FILES])[:SAMPLE_BYTES]) if older else "utf-8"
    texts = [content.decode(form or found, "replace") for content, form in zip(contents, known, strict=True)]
    return texts, found


def encoding_note(encoding: str, captions: Sequence[str]) -> list[str]:
    """What to tell the user of a text that was not Unicode: the first caption that shows whether it was read well."""
    if encoding.startswith("utf"):
        return []
    telling = next((caption for caption in captions if not caption.isascii()), None)
    shown = f', such as "{telling[:_SHOWN]}{" …" if len(telling) > _SHOWN else ""}"' if telling else ""
    advice = "" if can_detect() else f" (a guess: to tell encodings apart, {how_to_detect()})"
    return [f"not UTF-8, read as {encoding}{shown}{advice}; another is named by --set data.encoding=NAME"]
