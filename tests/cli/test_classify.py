import io
from types import SimpleNamespace

import pytest
from PIL import Image

from lexel.data.readers.tables.table import read_table


def test_each_picture_gets_its_labels_best_first(lexel, tiny_model, here):
    done = lexel("classify", tiny_model, "red.png", "blue.png", "--labels", "red,blue, green ", "--json")
    assert done.status == 0
    assert [answer["image"] for answer in done.json] == ["red.png", "blue.png"]
    for answer in done.json:
        chances = [guess["probability"] for guess in answer["labels"]]
        assert {guess["label"] for guess in answer["labels"]} == {"red", "blue", "green"}
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) == pytest.approx(1)


def test_people_get_the_top_labels_with_bars(lexel, tiny_model, here):
    done = lexel("classify", tiny_model, "red.png", "--labels", "red,blue", "--top", 1)
    name, guess, *_ = done.out.splitlines()
    assert name == "red.png"
    assert "%" in guess
    assert "█" in guess
    assert "match" in guess


@pytest.mark.parametrize("json", [True, False])
def test_a_picture_that_cannot_be_read_is_told_and_the_others_are_answered(lexel, tiny_model, here, json):
    words = ["classify", tiny_model, "red.png", "broken.jpg", "blue.png", "--labels", "red,blue"]
    done = lexel(*words, *(["--json"] if json else []))
    assert done.status == 1
    assert done.err.splitlines()[-1] == "lexel classify: cannot read broken.jpg: not an image of a known format"
    if json:
        assert [answer.keys() - {"image"} for answer in done.json] == [{"labels"}, {"error"}, {"labels"}]
    else:
        assert [line for line in done.out.splitlines() if ".png" in line] == ["red.png", "blue.png"]


def test_a_picture_may_come_from_standard_input(lexel, tiny_model, here, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO((here / "red.png").read_bytes())))
    assert lexel("classify", tiny_model, "-", "--labels", "red,blue", "--json").json[0]["image"] == "-"


def test_labels_may_come_from_a_file(lexel, tiny_model, here):
    (here / "labels.txt").write_text("red\n\n blue \n")
    answer = lexel("classify", tiny_model, "red.png", "--labels", "labels.txt", "--json").json[0]
    assert {guess["label"] for guess in answer["labels"]} == {"red", "blue"}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("red,blue,red", "Labels given more than once: red."),
        (",", "holds no labels"),
        ("missing.txt", "There is no label file missing.txt"),
        ("empty.txt", "empty.txt holds no labels"),
        ("binary.txt", "is not UTF-8 text"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(refused, tiny_model, here, labels, said):
    (here / "empty.txt").touch()
    (here / "binary.txt").write_bytes(b"\xff\xfe\x00\xd8")
    assert said in refused("classify", tiny_model, "red.png", "--labels", labels)


@pytest.mark.parametrize(
    ("image", "said"),
    [("rad.png", 'Did you mean "red.png"?'), ("empty", "empty holds no pictures"), ("*.gif", 'match for "*.gif"')],
)
def test_pictures_that_are_not_there_are_refused(refused, tiny_model, here, image, said):
    assert said in refused("classify", tiny_model, image, "--labels", "red,blue")


def test_unknown_templates_are_refused(refused, tiny_model, here):
    said = refused("classify", tiny_model, "red.png", "--labels", "a,b", "--templates", "phot")
    assert 'Did you mean "photo"?' in said


def test_a_run_folder_leads_to_its_model(refused, tiny_run, here):
    assert f'Did you mean "{tiny_run.model}"?' in refused("classify", tiny_run.folder, "red.png", "--labels", "a,b")


def test_one_label_gets_a_match_and_no_percentage_of_its_own(lexel, tiny_model, here):
    done = lexel("classify", tiny_model, "red.png", "--labels", "cat")
    name, guess, note = done.out.splitlines()
    assert name == "red.png"
    assert "100.0%" not in guess
    assert guess.split()[0] == "match"
    assert note.startswith("Note: With one label there is nothing to compare")


def test_labels_of_which_none_fits_are_said_to(lexel, tiny_model, here):
    words = ["classify", tiny_model, "red.png", "blue.png", "--labels", "zebra,tuba"]
    answers = lexel(*words, "--json").json
    unlikely = [all(guess["strength"] == "unlikely" for guess in answer["labels"]) for answer in answers]
    note = lexel(*words).out.splitlines()[-1]
    assert note.startswith("Note: No label fits") == any(unlikely)


def test_labels_longer_than_the_model_reads_are_named(lexel, tiny_model, here):
    done = lexel("classify", tiny_model, "red.png", "--labels", f"cat,{'red ' * 40}", "--templates", "plain")
    assert "Note: 1 of the 2 prompts exceed the 32 tokens that the model reads" in done.err


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_comes_back_with_its_columns_and_the_labels(lexel, tiny_model, here, suffix):
    (here / "shop.csv").write_text('sku,file,price\n7,red.png,"1,50"\n8,broken.jpg,2\n9,,3\n')
    done = lexel("classify", tiny_model, "shop.csv", "--labels", "red,blue", "--top", 2, "-o", f"out.{suffix}")
    assert done.status == 1
    assert f"Wrote out.{suffix}: 3 rows, 1 with a label" in done.err
    table = read_table(here / f"out.{suffix}").columns
    assert list(table)[:3] == ["sku", "file", "price"]
    assert table["price"] == ["1,50", "2", "3"]
    assert {table["predicted_label"][0], table["predicted_label_2"][0]} == {"red", "blue"}
    assert not table["predicted_label"][1]
    assert "not an image of a known format" in table["predicted_error"][1]
    assert table["predicted_error"][2] == "the row names no image"
    chances = float(table["predicted_probability"][0]) + float(table["predicted_probability_2"][0])
    assert chances == pytest.approx(1, abs=1e-5)


def test_pictures_may_be_written_into_a_table(lexel, tiny_model, here):
    done = lexel("classify", tiny_model, "red.png", "blue.png", "--labels", "red,blue", "-o", "out.csv")
    assert (done.status, done.out.count(".png")) == (0, 0)
    assert read_table(here / "out.csv").columns["image"] == ["red.png", "blue.png"]


def test_pictures_inside_a_table_go_into_parquet_and_not_into_text(lexel, tiny_model, here):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    content = (here / "red.png").read_bytes()
    parquet.write_table(pa.table({"image": [{"bytes": content, "path": None}], "id": [3]}), here / "in.parquet")
    words = ["classify", tiny_model, "in.parquet", "--labels", "red,blue", "-o"]
    assert 'Left out of out.jsonl: "image"' in lexel(*words, "out.jsonl").err
    assert read_table(here / "out.jsonl").columns["id"] == [3]
    assert lexel(*words, "out.parquet").status == 0
    assert read_table(here / "out.parquet").columns["image"][0].content() == content


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["t.csv", "red.png"], "t.csv is a table. Give it alone"),
        (["t.csv", "-o", "t.csv"], "is the table that is read"),
        (["t.csv", "-o", "out.xlsx"], "must end in .csv"),
        (["t.csv", "-o", "away/out.csv"], "There is no folder away"),
        (["red.png", "--labels", "labels.csv"], "There is no label file labels.csv"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(refused, tiny_model, here, words, said):
    (here / "t.csv").write_text("file,price\nred.png,3\n")
    assert said in refused("classify", tiny_model, *words, *([] if "--labels" in words else ["--labels", "a,b"]))


@pytest.fixture
def classes(here):
    """Class folders, with pictures of one colour each and words that say nothing of it."""
    for label, colours in {"ripe": ("red", "crimson", "firebrick"), "raw": ("lime", "limegreen", "seagreen")}.items():
        (here / "classes" / label).mkdir(parents=True)
        for colour in colours:
            Image.new("RGB", (16, 16), colour).save(here / "classes" / label / f"{colour}.png")
    return "classes"


def test_a_classifier_learns_from_class_folders_says_what_to_expect_and_is_kept(lexel, tiny_model, here, classes):
    done = lexel("classify", tiny_model, "--fit", classes, "--save", "ripe.safetensors")
    assert done.status == 0
    assert done.out.startswith("Learned from 6 pictures of 2 labels.\n")
    assert "zero-shot" in done.out.lower()
    assert "Wrote ripe.safetensors" in done.err
    kept = lexel("classify", tiny_model, "red.png", "--classifier", "ripe.safetensors", "--json").json
    again = lexel("classify", tiny_model, "red.png", "--fit", classes, "--json").json
    assert kept == again
    assert {guess["label"] for guess in kept[0]["labels"]} == {"ripe", "raw"}


def test_what_to_expect_is_there_for_programs(lexel, tiny_model, here, classes):
    said = lexel("classify", tiny_model, "--fit", classes, "--labels", "ripe,raw,rotten", "--json").json
    assert said["labels"] == ["ripe", "raw", "rotten"]
    assert said["counts"] == [6, 2, 3]
    assert 0 <= said["zero_shot"]["low"] <= said["expected"]["high"] <= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["red.png"], "Say what to choose among"),
        (["--labels", "a,b"], "No images were given"),
        (["red.png", "--classifier", "c.safetensors", "--labels", "a,b"], "--classifier brings its labels"),
        (["red.png", "--classifier", "c.safetensors"], "There is no classifier at c.safetensors"),
        (
            ["--fit", "classes", "--labels", "ripe,rav"],
            'pictures of "raw", which is not among the labels. Did you mean',
        ),
        (["--fit", "captioned.csv"], "captioned.csv has no labels to learn from"),
        (["--fit", "classes", "--save", "away/c.safetensors"], "There is no folder away"),
    ],
)
def test_what_cannot_be_learned_is_refused(refused, tiny_model, here, classes, words, said):
    (here / "captioned.csv").write_text("file,caption\nred.png,something red\nblue.png,something blue\n")
    assert said in refused("classify", tiny_model, *words)
