"""XMP side-cars: keywords (dc:subject) beside a picture, for photo programs, in a file of their own.

A side-car that is there is added to and otherwise left as it is: what would be written is compared with what was there,
keywords aside, before anything is written. ISO 16684-1 is the format.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from lexel.errors import DataError
from lexel.files import write_atomically
from lexel.library.store.paths import readable

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
NAMESPACES = "http://www.w3.org/2000/xmlns/"
LARGEST = 16 * 2**20  # bytes
EMPTY = f"""<?xml version="1.0" encoding="utf-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Lexel">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about="" xmlns:dc="{DC}"/>
 </rdf:RDF>
</x:xmpmeta>
""".encode()


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that was left alone, and why."""

    path: str
    reason: str


def sidecar_of(picture: str) -> Path:
    """The side-car that is there, picture.jpg.xmp or picture.xmp, else the first of these names."""
    own, shared = Path(f"{picture}.xmp"), Path(f"{os.path.splitext(picture)[0]}.xmp")  # noqa: PTH122 - of a str
    return shared if shared.exists() and not own.exists() else own


def add_to_sidecar(picture: str, words: Sequence[str]) -> bool | Problem:
    """Add keywords to the picture's side-car; whether it had to be written, or why it could not be."""
    path = sidecar_of(picture)
    try:
        before = _read(path) if path.exists() else None
        after = add_keywords(before, words)
        if after == before:
            return False
        write_atomically(path, after)
    except DataError as error:
        return Problem(readable(str(path)), str(error))
    except OSError as error:
        return Problem(readable(str(path)), error.strerror or str(error))
    return True


def add_keywords(sidecar: bytes | None, words: Sequence[str]) -> bytes:
    """The side-car with these keywords added to its dc:subject; the same bytes where it has them all.

    Raises DataError for what is no XMP, or could not be written back unchanged.
    """
    document = _parse(sidecar or EMPTY)
    missing = [word for word in dict.fromkeys(words) if word not in keywords(document)]
    if not missing and sidecar is not None:
        return sidecar
    bag = _bag(document)
    for word in missing:
        item = document.createElementNS(RDF, f"{_prefix(bag, RDF, 'rdf')}li")
        item.appendChild(document.createTextNode(word))
        bag.appendChild(item)
    written = document.toxml(encoding="utf-8") + b"\n"
    if _else(written) != _else(sidecar or EMPTY):
        raise DataError("it would not stay as it is: add its keywords with the program that wrote it")
    return written


def keywords(document: minidom.Document) -> list[str]:
    """All of dc:subject."""
    return [
        "".join(node.data for node in item.childNodes if isinstance(node, minidom.Text))
        for subject in document.getElementsByTagNameNS(DC, "subject")
        for item in subject.getElementsByTagNameNS(RDF, "li")
    ]


def _read(path: Path) -> bytes:
    if path.stat().st_size > LARGEST:
        raise DataError(f"larger than {LARGEST // 2**20} MiB")
    return path.read_bytes()


def _parse(sidecar: bytes) -> minidom.Document:
    if b"<!DOCTYPE" in sidecar or b"<!ENTITY" in sidecar:
        raise DataError("it has a document type, which XMP has not")
    try:
        document = minidom.parseString(sidecar)
    except (ExpatError, ValueError, LookupError) as error:
        raise DataError(f"no XML: {error}") from None
    if document.doctype is not None or not document.getElementsByTagNameNS(RDF, "RDF"):
        raise DataError("no XMP: it has no rdf:RDF")
    return document


def _bag(document: minidom.Document) -> minidom.Element:
    """The list of keywords, made where there is none."""
    subjects = document.getElementsByTagNameNS(DC, "subject")
    if subjects:
        subject = subjects[0]
    else:
        (rdf, *_) = document.getElementsByTagNameNS(RDF, "RDF")
        described = rdf.getElementsByTagNameNS(RDF, "Description")
        description = described[0] if described else _child(rdf, RDF, "rdf", "Description")
        if not described:
            description.setAttributeNS(RDF, f"{_prefix(rdf, RDF, 'rdf')}about", "")
        subject = _child(description, DC, "dc", "subject")
    for kind in ("Bag", "Seq", "Alt"):
        for found in subject.getElementsByTagNameNS(RDF, kind):
            return found
    return _child(subject, RDF, "rdf", "Bag")


def _child(parent: minidom.Element, namespace: str, usual: str, name: str) -> minidom.Element:
    assert parent.ownerDocument is not None
    child = parent.ownerDocument.createElementNS(namespace, f"{_prefix(parent, namespace, usual)}{name}")
    if _bound(parent, namespace) is None:
        child.setAttributeNS(NAMESPACES, f"xmlns:{usual}", namespace)
    parent.appendChild(child)
    return child


def _prefix(node: minidom.Element, namespace: str, usual: str) -> str:
    """The prefix by which the namespace is known here, with its colon; else the usual one."""
    prefix = _bound(node, namespace)
    return f"{usual}:" if prefix is None else f"{prefix}:" if prefix else ""


def _bound(node: minidom.Node | None, namespace: str) -> str | None:
    hidden = set()
    while isinstance(node, minidom.Element):
        for name, value in node.attributes.items():
            if name == "xmlns" or name.startswith("xmlns:"):
                prefix = name.partition(":")[2]
                if value == namespace and prefix not in hidden:
                    return prefix
                hidden.add(prefix)
        node = node.parentNode
    return None


def _else(sidecar: bytes) -> object:
    """All of the side-car but its keywords and white space between elements, to be compared."""
    document = _parse(sidecar)
    for subject in list(document.getElementsByTagNameNS(DC, "subject")):
        assert subject.parentNode is not None
        subject.parentNode.removeChild(subject)
    return _content(document)


def _content(node: minidom.Node) -> object:
    inside = [_content(child) for child in node.childNodes]
    inside = [child for child in inside if child is not None]
    if not isinstance(node, minidom.Element):
        text = (node.nodeValue or "").strip()
        return (node.nodeName, text, inside) if text or inside else None
    attributes = {name: value for name, value in node.attributes.items() if value not in (RDF, DC)}
    if node.localName == "Description" and not inside and not any(attributes.values()):
        return None  # one that was made to hold the keywords
    return node.namespaceURI, node.localName, attributes, inside
