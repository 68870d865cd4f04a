import xml.etree.ElementTree as ET

import pytest

from lexel.curation.sidecars import DC, RDF, Problem, add_keywords, add_to_sidecar, sidecar_of
from lexel.errors import DataError

DARKROOM = b"""<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>
<!-- by a darkroom -->
<xmp:xmpmeta xmlns:xmp="adobe:ns:meta/">
 <r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <r:Description r:about="" xmlns:xap="http://ns.adobe.com/xap/1.0/" xap:Rating="4" xmlns:d="urn:darkroom">
   <d:history><r:Seq><r:li d:op="exposure &amp; crop">1 &lt; 2</r:li></r:Seq></d:history>
   %s
  </r:Description>
 </r:RDF>
</xmp:xmpmeta>
<?xpacket end='w'?>
"""
SUBJECT = b'<dc:subject xmlns:dc="http://purl.org/dc/elements/1.1/"><r:Bag><r:li>old</r:li></r:Bag></dc:subject>'


def words(sidecar: bytes) -> list[str]:
    """Read by another XML library than the one that wrote it."""
    return [item.text or "" for item in ET.fromstring(sidecar).findall(f".//{{{DC}}}subject/{{{RDF}}}Bag/{{{RDF}}}li")]


def test_a_new_side_car_has_the_keywords_in_a_bag():
    assert words(add_keywords(None, ["dog", "a <b> & Ü", "dog"])) == ["dog", "a <b> & Ü"]


@pytest.mark.parametrize("subject", [b"", SUBJECT])
def test_all_else_in_a_side_car_stays(subject):
    before = DARKROOM % subject
    after = add_keywords(before, ["dog"])
    assert words(after) == [*words(before), "dog"]
    for kept in (b"<!-- by a darkroom -->", b"<?xpacket begin", b"<?xpacket end", b'xap:Rating="4"', b"exposure &amp;"):
        assert kept in after
    assert ET.fromstring(after).find(".//{urn:darkroom}history") is not None


def test_keywords_that_are_there_change_nothing():
    before = DARKROOM % SUBJECT
    assert add_keywords(before, ["old"]) == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not xml", "no XML"),
        (b"<a/>", "no rdf:RDF"),
        (b'<!DOCTYPE x [<!ENTITY e "e">]><x/>', "document type"),
        ((DARKROOM % b"").replace(b'xap:Rating="4"', b'xap:Rating="4&#10;5"'), "would not stay"),
    ],
)
def test_what_cannot_be_kept_whole_is_left_alone(tmp_path, content, said):
    picture, sidecar = tmp_path / "a.jpg", tmp_path / "a.jpg.xmp"
    sidecar.write_bytes(content)
    outcome = add_to_sidecar(str(picture), ["dog"])
    if said == "would not stay" and not isinstance(outcome, Problem):  # later Pythons write such line breaks rightly
        assert b"&#10;" in sidecar.read_bytes()
        return
    assert isinstance(outcome, Problem)
    assert said in outcome.reason
    assert sidecar.read_bytes() == content
    with pytest.raises(DataError):
        add_keywords(content, ["dog"])


def test_a_side_car_of_the_other_name_is_added_to(tmp_path):
    (tmp_path / "a.xmp").write_bytes(DARKROOM % b"")
    assert sidecar_of(str(tmp_path / "a.jpg")).name == "a.xmp"
    assert sidecar_of(str(tmp_path / "b.jpg")).name == "b.jpg.xmp"
    assert add_to_sidecar(str(tmp_path / "a.jpg"), ["dog"]) is True
    assert add_to_sidecar(str(tmp_path / "a.jpg"), ["dog"]) is False
    assert words((tmp_path / "a.xmp").read_bytes()) == ["dog"]
    assert not (tmp_path / "a.jpg.xmp").exists()
