import io
import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from lexel.library.disk.embedded_words import MAX_KEYWORDS, read_words
from lexel.library.disk.photo_facts import read_facts

PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:lr="http://ns.adobe.com/lightroom/1.0/">{inside}</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
BAG = "<dc:subject><rdf:Bag>{}</rdf:Bag></dc:subject>"
FULL = PACKET.format(
    inside=BAG.format("<rdf:li>owl</rdf:li><rdf:li>Zürich &amp; See</rdf:li>")
    + "<lr:hierarchicalSubject><rdf:Bag><rdf:li>animals|birds|owl</rdf:li></rdf:Bag></lr:hierarchicalSubject>"
    + "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>At night</rdf:li><rdf:li>Nachts</rdf:li></rdf:Alt></dc:title>"
    + "<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>Seen\n from the road</rdf:li></rdf:Alt></dc:description>"
)


def xmp_image(packet: object) -> Image.Image:
    image = Image.new("RGB", (2, 2))
    image.info["xmp"] = packet
    return image


def iptc(*fields: tuple[int, int, bytes]) -> bytes:
    return b"".join(
        b"\x1c" + bytes((record, field)) + struct.pack(">H", len(value)) + value for record, field, value in fields
    )


def jpeg_with_iptc(data: bytes) -> io.BytesIO:
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)
    segment = b"Photoshop 3.0\0" + resource
    plain = io.BytesIO()
    Image.new("RGB", (20, 10)).save(plain, "JPEG")
    start, rest = plain.getvalue()[:2], plain.getvalue()[2:]
    return io.BytesIO(start + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + rest)


def words_of(file: io.BytesIO) -> tuple[list[str], str | None]:
    facts = read_facts(file)
    assert facts.width == 20
    return json.loads(facts.keywords), facts.description


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_xmp_is_read_from_every_format_that_has_it(kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    file = io.BytesIO()
    options = {"xmp": FULL.encode()}
    if kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        chunks = PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", FULL)
        options = {"pnginfo": chunks}
    if kind == "TIFF":
        options = {"tiffinfo": {700: FULL.encode()}}
    Image.new("RGB", (20, 10)).save(file, kind, **options)
    file.seek(0)
    assert words_of(file) == (["owl", "Zürich & See", "animals", "birds"], "At night\nSeen from the road")


def test_iptc_keywords_title_and_caption_are_read():
    file = jpeg_with_iptc(
        iptc((1, 90, b"\x1b%G"), (2, 5, b"Title"), (2, 25, b"owl"), (2, 25, "Zürich".encode()), (2, 120, b"Caption"))
    )
    assert words_of(file) == (["owl", "Zürich"], "Title\nCaption")


def test_iptc_of_old_programs_is_no_utf8():
    assert words_of(jpeg_with_iptc(iptc((2, 25, "Zürich".encode("latin-1"))))) == (["Zürich"], None)


@pytest.mark.parametrize(
    ("inside", "keywords"),
    [
        ("<dc:subject>plain</dc:subject>", ("plain",)),
        ("<dc:subject><rdf:Bag/></dc:subject>", ()),
        (BAG.format("<rdf:li>  </rdf:li><rdf:li>a\n\tb</rdf:li><rdf:li>a b</rdf:li>"), ("a b",)),
        (BAG.format(f"<rdf:li>{'x' * 201}</rdf:li><rdf:li>ok</rdf:li>"), ("ok",)),
        (BAG.format("<rdf:li>before</rdf:li><rdf:li>cut"), ("before",)),
        (
            BAG.format("<rdf:li>x&#27;]0;title&#7;y</rdf:li>").replace("&#27;", "\x9b").replace("&#7;", "\u202e"),
            ("x ]0;title y",),
        ),
    ],
)
def test_odd_and_damaged_xmp_gives_what_can_be_told(inside, keywords):
    assert read_words(xmp_image(PACKET.format(inside=inside).encode())).keywords == keywords


def test_the_number_of_keywords_is_bounded():
    items = "".join(f"<rdf:li>{number}</rdf:li>" for number in range(MAX_KEYWORDS + 10))
    assert len(read_words(xmp_image(PACKET.format(inside=BAG.format(items)).encode())).keywords) == MAX_KEYWORDS


def test_xmp_in_other_encodings_and_with_padding_is_read():
    plain = PACKET.format(inside=BAG.format("<rdf:li>Zürich</rdf:li>")).partition("?>")[2].rpartition("<?xpacket")[0]
    assert read_words(xmp_image(plain.strip().encode("utf-16"))).keywords == ("Zürich",)
    assert read_words(xmp_image(plain.encode() + b" " * 3000 + b"\0\0")).keywords == ("Zürich",)


LAUGHS = "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
ENTITIES = f'<!DOCTYPE x [<!ENTITY a "ha ha ha">{LAUGHS}]>'


@pytest.mark.parametrize(
    "packet",
    [
        (ENTITIES + PACKET.format(inside=BAG.format("<rdf:li>&i;</rdf:li>")).partition("?>")[2]).encode(),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        FULL.encode() + b" " * 2**21,
        b"<a>" * 200_000,
        b"no XML",
        b"",
        b"\xff\xfe\xff",
        7,
        None,
        ("a", "tuple"),
    ],
)
def test_hostile_xmp_gives_nothing(packet):
    assert read_words(xmp_image(packet)) == ((), None)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_metadata_never_keeps_a_picture_from_being_read(data):
    content = bytearray(jpeg_with_iptc(iptc((2, 25, b"owl"), (2, 120, b"A caption"))).getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(34, 34 + 40))] = data.draw(st.integers(0, 255))
    facts = read_facts(io.BytesIO(bytes(content)))
    assert isinstance(json.loads(facts.keywords), list)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(FULL) - 1), st.binary(min_size=1, max_size=3))
def test_damaged_xmp_is_never_an_error(at, noise):
    packet = FULL.encode()
    read_words(xmp_image(packet[:at] + noise + packet[at + len(noise) :]))
