import xml.etree.ElementTree as ET

import pytest

from lexel.curation.sidecars import SidecarEdit, SkippedFile, carry_out, edit_adding, edit_removing, sidecar_of
from lexel.curation.xmp import DC, EMPTY_XMP, RDF, add_keywords, is_empty_own, parse_keywords, remove_keywords
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
    outcome = edit_adding(str(picture), ["dog"])
    if said == "would not stay" and isinstance(outcome, SidecarEdit):  # later Pythons write such line breaks rightly
        assert b"&#10;" in (outcome.after or b"")
        return
    assert isinstance(outcome, SkippedFile)
    assert said in outcome.reason
    assert sidecar.read_bytes() == content
    with pytest.raises(DataError):
        add_keywords(content, ["dog"])


def test_a_side_car_of_the_other_name_is_added_to(tmp_path):
    (tmp_path / "a.xmp").write_bytes(DARKROOM % b"")
    assert sidecar_of(str(tmp_path / "a.jpg")).name == "a.xmp"
    assert sidecar_of(str(tmp_path / "b.jpg")).name == "b.jpg.xmp"
    edit = edit_adding(str(tmp_path / "a.jpg"), ["dog"])
    assert isinstance(edit, SidecarEdit)
    assert carry_out(edit) is None
    assert edit_adding(str(tmp_path / "a.jpg"), ["dog"]) is None
    assert words((tmp_path / "a.xmp").read_bytes()) == ["dog"]
    assert not (tmp_path / "a.jpg.xmp").exists()


@pytest.mark.parametrize("subject", [b"", SUBJECT])
def test_what_was_added_can_be_removed_and_all_else_stays(subject):
    before = DARKROOM % subject
    after = remove_keywords(add_keywords(before, ["dog", "cat"]), ["cat", "dog"])
    assert words(after) == words(before)
    assert ET.canonicalize(after, strip_text=True) == ET.canonicalize(before, strip_text=True)
    assert remove_keywords(before, ["absent"]) == before


def test_a_new_side_car_goes_when_its_last_keyword_does(tmp_path):
    path = tmp_path / "a.jpg.xmp"
    path.write_bytes(add_keywords(None, ["dog", "cat"]))
    for word, is_left in (("dog", True), ("cat", False)):
        edit = edit_removing(path, [word])
        assert isinstance(edit, SidecarEdit)
        assert carry_out(edit) is None
        assert path.exists() == is_left
    assert edit_removing(path, ["cat"]) is None


def test_a_side_car_that_another_program_made_or_added_to_never_goes():
    assert is_empty_own(EMPTY_XMP)
    assert not is_empty_own(DARKROOM % b"")
    rated = EMPTY_XMP.replace(b'rdf:about=""', b'rdf:about="" xmlns:xap="http://ns.adobe.com/xap/1.0/" xap:Rating="4"')
    assert not is_empty_own(rated)
    assert not is_empty_own(add_keywords(None, ["dog"]))


def test_a_side_car_that_changed_since_the_edit_was_planned_is_left_alone(tmp_path):
    path = tmp_path / "a.jpg.xmp"
    edit = edit_adding(str(tmp_path / "a.jpg"), ["dog"])
    assert isinstance(edit, SidecarEdit)
    path.write_bytes(DARKROOM % SUBJECT)
    failure = carry_out(edit)
    assert failure is not None
    assert "changed by another program" in failure.reason
    assert parse_keywords(path.read_bytes()) == ["old"]
