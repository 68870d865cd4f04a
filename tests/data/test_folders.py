import json
import os
from pathlib import Path

import pytest
from PIL import Image

from lexel.data.readers import read_source
from lexel.errors import DataError, UnfitSettingError, UsageError


def draw(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(path, "PNG")
    return folder


def described(folder: Path | str, **columns) -> list[tuple[str, tuple[str, ...], str | None]]:
    return [(pair.key, pair.captions, pair.label) for pair in read_source(str(folder), **columns).pairs]


def test_a_bare_folder_is_its_pictures_in_order_of_their_paths(tmp_path):
    draw(tmp_path, "b.PNG", "a.jpeg", "deep/er/c.WebP", ".hidden.png", "._b.png", ".data/d.png", "__MACOSX/e.png")
    (tmp_path / ".DS_Store").touch()
    assert described(tmp_path) == [("a.jpeg", (), None), ("b.PNG", (), None), ("deep/er/c.WebP", (), None)]


def test_text_files_beside_the_pictures_are_captions(tmp_path):
    draw(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "a.txt").write_bytes("\ufeffone \r\n\r\n two\r\n".encode())
    (tmp_path / "b.TXT").write_text("drei")
    source = read_source(str(tmp_path))
    assert [pair.captions for pair in source.pairs] == [("one", "two"), ("drei",), ()]
    assert source.notes == ("captions from the text files beside 2 of 3 images",)


def test_class_folders_are_labels(tmp_path):
    draw(tmp_path, "hot_dog/1.png", "cat/2.png", "cat/deep/3.png")
    source = read_source(str(tmp_path))
    assert [(pair.key, pair.label) for pair in source.pairs] == [
        ("cat/2.png", "cat"),
        ("cat/deep/3.png", "cat"),
        ("hot_dog/1.png", "hot dog"),
    ]
    assert source.labels == ["cat", "hot dog"]


def test_a_readme_among_class_folders_is_no_caption(tmp_path):
    draw(tmp_path, "cat/1.png", "dog/2.png")
    (tmp_path / "README.txt").write_text("image files, by class")
    (tmp_path / "cat" / "notes.txt").write_text("no caption")
    assert [label for _, _, label in described(tmp_path)] == ["cat", "dog"]
    assert not any(captions for _, captions, _ in described(tmp_path))


def test_pictures_outside_the_folders_mean_that_these_are_no_classes(tmp_path):
    draw(tmp_path, "2023/1.png", "2024/2.png", "3.png")
    source = read_source(str(tmp_path))
    assert source.labels == []
    assert "folder names not taken for labels: 1 image lies outside the 2 folders" in source.notes


def test_numbered_folders_of_captioned_pictures_are_no_classes(tmp_path):
    draw(tmp_path, "00000/1.png", "00001/2.png")
    for name in ("00000/1.txt", "00001/2.txt"):
        (tmp_path / name).write_text("a caption")
    assert described(tmp_path)[0] == ("00000/1.png", ("a caption",), None)


def test_metadata_decides_also_beside_class_folders(tmp_path):
    draw(tmp_path, "cat/1.png", "dog/2.png")
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"file_name": "cat/1.png", "text": "a tabby"}))
    assert described(tmp_path) == [("cat/1.png", ("a tabby",), None)]


def test_two_metadata_files_are_one_too_many(tmp_path):
    draw(tmp_path, "1.png")
    (tmp_path / "metadata.jsonl").write_text("{}")
    (tmp_path / "metadata.csv").write_text("file_name")
    with pytest.raises(UsageError, match=r"metadata\.csv and metadata\.jsonl, which may differ"):
        read_source(str(tmp_path))


def test_split_folders_may_hold_classes_or_metadata(tmp_path):
    draw(tmp_path, "train/cat/1.png", "train/dog/2.png", "validation/3.png")
    (tmp_path / "test").mkdir()
    (tmp_path / "validation" / "metadata.csv").write_text("file_name,label\n3.png,cat\n")
    assert described(tmp_path) == [
        ("train/cat/1.png", (), "cat"),
        ("train/dog/2.png", (), "dog"),
        ("validation/3.png", (), "cat"),
    ]
    assert read_source(str(tmp_path), prefer=["val"]).split == "val"
    assert described(f"{tmp_path}/dev") == [("validation/3.png", (), "cat")]
    with pytest.raises(UsageError, match=r'no split "tests".*\n  It has: train 2, val 1'):
        read_source(f"{tmp_path}/tests")


def test_a_class_called_train_is_no_split(tmp_path):
    draw(tmp_path, "train/1.png", "bus/2.png")
    assert read_source(str(tmp_path)).labels == ["bus", "train"]


def test_a_split_of_metadata_is_named_after_the_folder(tmp_path):
    draw(tmp_path, "1.png", "2.png")
    (tmp_path / "metadata.csv").write_text("file_name,caption,split\n1.png,a,train\n2.png,b,test\n")
    source = read_source(f"{tmp_path}/test")
    assert (source.name, source.split, [pair.key for pair in source.pairs]) == (f"{tmp_path}/test", "test", ["2.png"])
    assert source.notes[-1] == 'split "test" taken'


def test_keys_do_not_depend_on_where_the_folder_lies_or_how_it_is_written(tmp_path, monkeypatch):
    draw(tmp_path, "photos/cat/1.png", "photos/dog/2.png")
    monkeypatch.chdir(tmp_path / "photos")
    assert described(".") == described(tmp_path / "photos") == described(f"{tmp_path}/photos/")


def test_links_in_a_circle_do_not_hang(tmp_path):
    draw(tmp_path, "a/1.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "a" / "broken.png").symlink_to(tmp_path / "none.png")
    assert [key for key, _, _ in described(tmp_path)] == ["a/1.png"]


def test_tables_that_are_passed_over_are_named(tmp_path):
    draw(tmp_path, "1.png", "2.png")
    (tmp_path / "captions.json").write_text('[{"image": "1.png", "caption": "a dog"}]')
    (tmp_path / "README.txt").write_text("image, caption")
    (tmp_path / "1.json").write_text("{}")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "all.parquet").touch()
    assert read_source(str(tmp_path)).notes == (
        f"images alone; a table lies there too; to read it, name it as the source: {tmp_path}/captions.json",
        f"images alone; a table lies there too; to read it, name it as the source: {tmp_path}/annotations/all.parquet",
        "images alone; 1 .json file beside the images not read, such as 1.json",
    )


def test_a_single_class_folder_gives_no_label_and_that_is_said(tmp_path):
    draw(tmp_path, "dog/1.png", "dog/2.png")
    source = read_source(str(tmp_path))
    assert source.labels == []
    assert source.notes == ('no labels: all images lie in the one folder "dog"',)


def test_of_nested_class_folders_the_first_level_with_several_is_taken_and_named(tmp_path):
    draw(tmp_path, "animals/cat/1.png", "animals/dog/2.png", "things/cup/3.png")
    source = read_source(str(tmp_path))
    assert source.labels == ["animals", "things"]
    assert source.notes == (
        "labels from 2 folders: animals, things; not from the 3 folders below these, such as animals/cat",
    )
    assert read_source(f"{tmp_path}/animals").labels == ["cat", "dog"]
    draw(tmp_path / "one", "images/cat/1.png", "images/dog/2.png")
    source = read_source(f"{tmp_path}/one")
    assert (source.labels, source.notes) == (["cat", "dog"], ("labels from 2 folders in images/: cat, dog",))


def test_folders_that_are_called_after_splits_are_no_classes(tmp_path):
    draw(tmp_path, "train2017/1.png", "val2017/2.png")
    source = read_source(str(tmp_path))
    assert source.labels == []
    assert source.notes == ("folder names not taken for labels: train2017, val2017 are splits",)


def test_captions_beside_the_pictures_are_all_in_one_encoding_that_is_found(tmp_path):
    draw(tmp_path, "1.png", "2.png", "3.png")
    for name, text in (("1", "一个穿粉色裙子的小女孩"), ("2", "两只狗在草地上奔跑"), ("3", "海边")):
        (tmp_path / f"{name}.txt").write_bytes(text.encode("gbk"))
    source = read_source(str(tmp_path))
    assert [pair.captions for pair in source.pairs] == [("一个穿粉色裙子的小女孩",), ("两只狗在草地上奔跑",), ("海边",)]
    assert any('read as gb18030, such as "一个穿粉色裙子的小女孩"' in note for note in source.notes)


def test_what_is_not_there_is_refused_with_what_is_near(tmp_path):
    draw(tmp_path, "photos/1.png")
    with pytest.raises(UsageError, match=r'There is no .*/photo\. Did you mean "photos"\?'):
        read_source(f"{tmp_path}/photo")
    with pytest.raises(UsageError, match=r'\(.* is there and has no "fotos"\). Did you mean "photos"\?'):
        read_source(f"{tmp_path}/fotos/2024/may")
    with pytest.raises(UsageError, match=r"is one picture\. A source is its folder"):
        read_source(f"{tmp_path}/photos/1.png")
    with pytest.raises(UsageError, match='no kind of source "flicker:"'):
        read_source("flicker:annotations.json")
    with pytest.raises(UsageError, match="name of the source is empty"):
        read_source(" ")


def test_a_folder_without_pictures_says_so(tmp_path):
    with pytest.raises(DataError, match=r"has no images: no file in it or below ends in \.jpg"):
        read_source(str(tmp_path))
    (tmp_path / "train.csv").touch()
    with pytest.raises(DataError, match=r"Name the table as the source: .*/train\.csv"):
        read_source(str(tmp_path))


def test_scenes_are_read_and_take_the_preferred_split():
    assert read_source("scenes:3/test").split == "test"
    source = read_source("scenes:3?seed=1", prefer=["validation"])
    assert (source.name, source.split, len(source.pairs)) == ("scenes:3?seed=1", "val", 3)


def test_metadata_in_sub_folders_is_read_and_not_replaced_by_their_names(tmp_path):
    draw(tmp_path, "cat/1.png", "cat/2.png", "dog/1.png", "3.png")
    for name in ("cat", "dog"):
        (tmp_path / name / "metadata.csv").write_text(f"file_name,caption\n1.png,a small {name}\n")
    source = read_source(str(tmp_path))
    assert described(tmp_path) == [("cat/1.png", ("a small cat",), None), ("dog/1.png", ("a small dog",), None)]
    assert "2 images left out that no metadata table lists, such as 3.png" in source.notes
    (tmp_path / "dog" / "metadata.jsonl").write_text("{}")
    with pytest.raises(UsageError, match=r"metadata\.csv and metadata\.jsonl, which may differ"):
        read_source(str(tmp_path))


def test_a_table_beside_class_folders_is_pointed_out(tmp_path):
    draw(tmp_path, "cat/1.png", "dog/2.png")
    (tmp_path / "captions.csv").write_text("image,caption\ncat/1.png,a dog\n")
    assert (
        f"a table lies there too; to read it, name it as the source: {tmp_path}/captions.csv"
        in read_source(str(tmp_path)).notes
    )


@pytest.mark.parametrize("name", ["captions.csv", "labels.tsv", "my.JSONL"])
def test_a_table_in_a_class_folder_is_pointed_out(tmp_path, name):
    draw(tmp_path, "cat/1.png", "dog/2.png", "dog/3.png")
    (tmp_path / "dog" / name).write_text("image,caption\n2.png,a dog\n")
    (tmp_path / "cat" / "1.json").write_text("{}")
    tables = [note for note in read_source(str(tmp_path)).notes if "table" in note]
    assert tables == [f"a table lies there too; to read it, name it as the source: {tmp_path}/dog/{name}"]


def test_a_link_to_itself_and_a_pipe_are_passed_over(tmp_path):
    draw(tmp_path, "1.png")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "lost.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "again").symlink_to(tmp_path)
    assert [key for key, _, _ in described(tmp_path)] == ["1.png"]
    assert read_source(str(tmp_path)).notes == (
        "1 passed over, links to what is not there: lost.jpg",
        "1 passed over, not regular files: pipe.jpg",
        "1 passed over, links in a circle: self.jpg",
        "1 passed over, links to folders that are looked through already: again",
    )


def test_raw_photos_and_videos_that_are_passed_over_are_counted_and_named(tmp_path):
    draw(tmp_path, "1.png")
    for name in ("a.CR2", "b.cr2", "c.MOV"):
        (tmp_path / name).touch()
    assert read_source(str(tmp_path)).notes == (
        "3 RAW photos and videos passed over (.cr2 2, .mov 1): convert the RAW ones to JPEG",
    )


def test_a_folder_with_splits_names_all_of_them_and_one_without_names_none(tmp_path):
    for split in ("train", "val"):
        for number in range(2):
            path = tmp_path / split / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (8, 8)).save(path)
            path.with_suffix(".txt").write_text(f"picture {number}")
    source = read_source(str(tmp_path), prefer=("train",))
    assert (source.split, sorted(source.splits)) == ("train", ["train", "val"])
    assert read_source(str(tmp_path / "train")).splits == ()


@pytest.mark.parametrize(
    "columns", [{"caption": "title"}, {"label": "kind"}, {"image": "file"}, {"encoding": "cp1251"}]
)
def test_columns_of_a_folder_without_a_table_are_refused(tmp_path, columns):
    Image.new("RGB", (2, 2)).save(tmp_path / "1.png")
    with pytest.raises(UnfitSettingError, match=f"so data.{next(iter(columns))} fits nothing there"):
        read_source(str(tmp_path), **columns)
    with pytest.raises(UnfitSettingError):
        read_source("scenes:5", **columns)


def test_a_caption_of_a_megabyte_beside_its_picture_is_cut_and_counted(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "1.png")
    (tmp_path / "1.txt").write_text("word " * 200_000 + "\nshort\n")
    source = read_source(str(tmp_path))
    assert [len(caption) for caption in source.pairs[0].captions] == [32_768, 5]
    assert "1 caption is over 32,768 characters and cut there" in source.notes
