import json

import pytest
from published_probes import aro, clevr, stripes, sugarcrepe, winoground

from lexel.errors import DataError, LexelError, UsageError
from lexel.evaluation.published.probe_source import CaptionChoice, CaptionTwin, ProbeSource
from lexel.evaluation.published.reading import read_test_source
from lexel.evaluation.source_fingerprint import source_fingerprint

BUILDERS = {"winoground": winoground, "sugarcrepe": sugarcrepe, "aro": aro, "clevr": clevr}


def read(kind, place) -> ProbeSource:
    found = read_test_source(f"{kind}:{place}")
    assert isinstance(found, ProbeSource)
    return found


def test_winoground_is_read_as_pairs_of_images_with_two_captions_and_a_kind(tmp_path):
    found = read("winoground", winoground(tmp_path))
    assert len(found.pairs) == 6
    assert found.twins[0] == CaptionTwin(("0/0", "0/1"), ("something red", "something blue!"), "object")
    assert [pair.picture.load().getpixel((0, 0)) for pair in found.pairs[:2]] == [(220, 20, 20), (20, 20, 220)]


def test_winoground_is_read_from_a_table_that_holds_the_pictures(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    stripes(tmp_path / "a.png", "red")
    cell = {"bytes": (tmp_path / "a.png").read_bytes(), "path": None}
    columns = {"id": [7], "image_0": [cell], "image_1": [cell], "caption_0": ["a b"], "caption_1": ["b a"]}
    parquet.write_table(pa.table(columns), tmp_path / "test.parquet")
    found = read("winoground", tmp_path)
    assert found.twins == (CaptionTwin(("7/0", "7/1"), ("a b", "b a"), ""),)
    assert found.pairs[0].picture.load().size == (8, 8)


def test_sugarcrepe_is_read_with_each_image_once_and_its_file_as_the_kind(tmp_path):
    found = read("sugarcrepe", sugarcrepe(tmp_path))
    assert [pair.key for pair in found.pairs] == ["red.png", "blue.png"]
    assert len(found.choices) == 4
    assert found.choices[-1] == CaptionChoice("blue.png", "a blue thing", ("a red thing",), "swap_att")
    alone = read("sugarcrepe", tmp_path / "swap_att.json")
    assert {choice.kind for choice in alone.choices} == {"swap_att"}


def test_aro_cuts_the_box_out_and_takes_the_first_of_several_captions(tmp_path):
    found = read("aro", aro(tmp_path))
    assert [choice.kind for choice in found.choices] == ["relation", "relation", "attribution", "coco_order"]
    assert [choice.detail for choice in found.choices] == ["on", "under", "red and blue", ""]
    assert found.choices[-1].wrong == ("blue red", "green red", "yellow")
    sizes = {pair.key: pair.picture.load().size for pair in found.pairs}
    assert sizes == {"two.jpg 0,0,8,8": (8, 8), "two.jpg": (16, 8)}


def test_clevr_labels_each_scene_with_its_number_of_objects(tmp_path):
    clevr(tmp_path)
    clevr(tmp_path, "train")
    found = read("clevr", tmp_path)
    assert [pair.label for pair in found.pairs] == ["3", "4", "4", "10"]
    assert (found.split, found.templates) == ("val", "counts")
    assert read("clevr", tmp_path / "train").split == "train"
    assert len(read("clevr", tmp_path / "scenes" / "CLEVR_val_scenes.json").pairs) == 4


def test_a_table_of_ones_own_names_image_caption_and_wrong_captions(tmp_path):
    stripes(tmp_path / "images" / "a.png", "red")
    (tmp_path / "mine.csv").write_text("image,caption,negative_caption,kind\na.png,a red cup,a blue cup,colour\n")
    (tmp_path / "mine.jsonl").write_text(
        '{"image": "images/a.png", "caption": "red", "negative_captions": ["x", "y"]}\n'
    )
    assert read("choices", tmp_path / "mine.csv").choices == (
        CaptionChoice("a.png", "a red cup", ("a blue cup",), "colour"),
    )
    assert read("choices", tmp_path / "mine.jsonl").choices[0].wrong == ("x", "y")


def test_pictures_elsewhere_are_found_where_the_user_says(tmp_path):
    sugarcrepe(tmp_path / "texts")
    (tmp_path / "texts" / "val2017").rename(tmp_path / "coco")
    with pytest.raises(DataError, match=r"(?s)2 of its 2 pictures are not in .*\?images=FOLDER"):
        read("sugarcrepe", tmp_path / "texts")
    assert len(read("sugarcrepe", f"{tmp_path / 'texts'}?images={tmp_path / 'coco'}").pairs) == 2


@pytest.mark.parametrize("kind", BUILDERS)
def test_one_missing_picture_is_named_since_the_number_would_be_another(tmp_path, kind):
    BUILDERS[kind](tmp_path)
    gone = sorted([*tmp_path.rglob("*.png"), *tmp_path.rglob("*.jpg")])[0]
    gone.unlink()
    with pytest.raises(DataError, match=gone.stem):
        read(kind, tmp_path)


@pytest.mark.parametrize("kind", BUILDERS)
def test_a_folder_without_the_files_or_that_is_not_there_says_what_belongs_there(tmp_path, kind):
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError, match=r"holds none of the files|There is no"):
            read(kind, place)
    with pytest.raises(UsageError, match="names no files"):
        read(kind, "")
    with pytest.raises(UsageError, match="There is no folder"):
        read(kind, f"{tmp_path}?images={tmp_path / 'nowhere'}")


@pytest.mark.parametrize(
    ("kind", "name", "content"),
    [
        ("winoground", "examples.jsonl", '{"caption_0": "a"}'),
        ("winoground", "examples.jsonl", '{"caption_0": "a", "caption_1": "b", "image_0": 3, "image_1": 4}'),
        ("sugarcrepe", "swap_att.json", "[]"),
        ("sugarcrepe", "swap_att.json", '{"0": {"filename": "red.png", "caption": "x"}}'),
        ("sugarcrepe", "swap_att.json", '{"0": {"filename": 5, "caption": "x", "negative_caption": "y"}}'),
        ("aro", "coco_order.json", '[{"image": "a.png", "caption_options": ["one"]}]'),
        (
            "aro",
            "visual_genome_relation.json",
            '[{"image_path": "a", "true_caption": "x", "false_caption": "y", "bbox_x": "?"}]',
        ),
        (
            "aro",
            "visual_genome_relation.json",
            '[{"image_path": "a", "true_caption": "x", "false_caption": "y", "bbox_x": 0, "bbox_y": 0, "bbox_w": 0,'
            ' "bbox_h": 4}]',
        ),
        ("clevr", "scenes/CLEVR_val_scenes.json", '{"scenes": [{"image_filename": "a.png"}]}'),
        ("clevr", "scenes/CLEVR_val_scenes.json", "[1]"),
        ("clevr", "scenes/CLEVR_val_scenes.json", "{"),
    ],
)
def test_rows_that_lack_something_are_refused_with_their_place(tmp_path, kind, name, content):
    BUILDERS[kind](tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=name.rpartition("/")[2]):
        read(kind, tmp_path)


def test_a_picture_name_may_not_lead_out_of_the_folder(tmp_path):
    folder = sugarcrepe(tmp_path / "probe")
    stripes(tmp_path / "secret.png", "red")
    for name in ("../secret.png", str(tmp_path / "secret.png")):
        row = {"filename": name, "caption": "x", "negative_caption": "y"}
        (folder / "swap_att.json").write_text(json.dumps({"0": row}))
        with pytest.raises(LexelError, match="secret"):
            read("sugarcrepe", folder / "swap_att.json")


def test_the_fingerprint_knows_what_is_asked_of_the_images(tmp_path):
    before = source_fingerprint(read("sugarcrepe", sugarcrepe(tmp_path)))
    file = tmp_path / "swap_att.json"
    file.write_text(file.read_text().replace("a blue thing", "a green thing"))
    assert source_fingerprint(read("sugarcrepe", tmp_path)) != before
