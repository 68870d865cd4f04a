"""XMP side-cars: keywords (dc:subject) beside a picture, for photo programs, in a file of their own.

A side-car that is there is added to and otherwise left as it is: what would be written is compared with what was there,
keywords aside, before anything is written. ISO 16684-1 is the format.
"""

from collections.abc import Sequence
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from lexel.errors import DataError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
NAMESPACES = "http://www.w3.org/2000/xmlns/"
TOOLKIT = "Lexel"  # the program that made a side-car, as XMP names it
EMPTY_XMP = f"""<?xml version="1.0" encoding="utf-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{TOOLKIT}">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about="" xmlns:dc="{DC}"/>
 </rdf:RDF>
</x:xmpmeta>
""".encode()


def add_keywords(sidecar: bytes | None, words: Sequence[str]) -> bytes:
    """The side-car with these keywords added to its dc:subject; the same bytes where it has them all.

    Raises DataError for what is no XMP, or could not be written back unchanged.
    """
    document = _parse(sidecar or EMPTY_XMP)
    missing = [word for word in dict.fromkeys(words) if word not in keywords(document)]
    if not missing and sidecar is not None:
        return sidecar
    bag = _bag(document)
    for word in missing:
        item = document.createElementNS(RDF, f"{_prefix(bag, RDF, 'rdf')}li")
        item.appendChild(document.createTextNode(word))
        bag.appendChild(item)
    return _written(document, sidecar or EMPTY_XMP)


def remove_keywords(sidecar: bytes, words: Sequence[str]) -> bytes:
    """The side-car with these keywords taken from its dc:subject; the same bytes where it has none of them.

    A dc:subject that is empty then goes too. Raises DataError for what is no XMP, or could not be written back
    unchanged.
    """
    document = _parse(sidecar)
    unwanted = [item for item in _items(document) if _text(item) in words]
    for item in unwanted:
        bag = item.parentNode
        _remove(item)
        if isinstance(bag, minidom.Element) and not _has_elements(bag):
            subject = bag.parentNode
            _remove(bag)
            if isinstance(subject, minidom.Element) and not _has_elements(subject):
                _remove(subject)
    return _written(document, sidecar) if unwanted else sidecar


def is_empty_own(sidecar: bytes) -> bool:
    """Whether Lexel made this side-car and nothing is left in it.

    Raises DataError for what is no XMP.
    """
    document = _parse(sidecar)
    root = document.documentElement
    made_here = root is not None and root.getAttributeNS("adobe:ns:meta/", "xmptk") == TOOLKIT
    return made_here and not keywords(document) and _all_but_keywords(sidecar) == _all_but_keywords(EMPTY_XMP)


def parse_keywords(sidecar: bytes) -> list[str]:
    """The keywords of a side-car. Raises DataError for what is no XMP."""
    return keywords(_parse(sidecar))


def keywords(document: minidom.Document) -> list[str]:
    """All of dc:subject."""
    return [_text(item) for item in _items(document)]


def _items(document: minidom.Document) -> list[minidom.Element]:
    return [
        item
        for subject in document.getElementsByTagNameNS(DC, "subject")
        for item in subject.getElementsByTagNameNS(RDF, "li")
    ]


def _text(item: minidom.Element) -> str:
    return "".join(node.data for node in item.childNodes if isinstance(node, minidom.Text))


def _has_elements(node: minidom.Element) -> bool:
    return any(isinstance(child, minidom.Element) for child in node.childNodes)


def _remove(node: minidom.Element) -> None:
    """Take the element away, with the white space before it."""
    parent, before = node.parentNode, node.previousSibling
    assert isinstance(parent, minidom.Element)
    if isinstance(before, minidom.Text) and not before.data.strip():
        parent.removeChild(before)
    parent.removeChild(node)


def _written(document: minidom.Document, before: bytes) -> bytes:
    """The document as bytes. Raises DataError when more than keywords would differ from what was there before."""
    written = document.toxml(encoding="utf-8") + b"\n"
    if _all_but_keywords(written) != _all_but_keywords(before):
        raise DataError("it would not stay as it is: change its keywords with the program that wrote it")
    return written


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


def _all_but_keywords(sidecar: bytes) -> object:
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
