from pathlib import Path

from PIL import Image


def test_a_source_is_described_for_programs(lexel, here):
    facts = lexel("data", "inspect", here, "--json").json
    assert (facts["images"], facts["with_captions"]) == (3, 0)
    assert [bad["key"] for bad in facts["unreadable"]] == ["broken.jpg"]


def test_a_source_is_described_for_people(lexel, here):
    out = lexel("data", "inspect", here).out
    assert "3 images, 0 with captions, 0 with a label" in out
    assert "  width                32 pixels\n" in out
    assert "broken.jpg: not an image of a known format" in out
    assert "Spread(" not in out


def test_captions_and_labels_are_counted(lexel, here):
    out = lexel("data", "inspect", "scenes:20").out
    assert "captions per image   2 to 3" in out
    assert "labels" in out


def test_a_folder_without_pictures_fails(lexel, here):
    done = lexel("data", "inspect", "empty")
    assert done.status == 1
    assert "empty has no images" in done.err


def test_a_source_that_is_not_there_is_refused(refused, here):
    assert 'Did you mean "empty"?' in refused("data", "inspect", "emtpy")


def test_columns_are_named_as_in_training_and_the_others_shown(lexel, refused, here):
    Image.new("RGB", (40, 40), "red").save("mug.png")
    Path("shop.csv").write_text("file,colour,ware\nmug.png,red,mug\n")
    assert "columns not taken: colour, ware" in lexel("data", "inspect", "shop.csv").err
    done = lexel("data", "inspect", "shop.csv", "--set", 'data.caption="{colour} {ware}"', "--json")
    assert (done.json["with_captions"], done.json["caption_words"]["most"]) == (1, 2)
    several = lexel("data", "inspect", "shop.csv", "--set", 'data.caption=["ware", "colour"]', "--json")
    assert several.json["captions"] == 2
    assert "no column" in refused("data", "inspect", "shop.csv", "--set", "data.caption={color}")
    assert 'Did you mean "data.caption"?' in refused("data", "inspect", "shop.csv", "--set", "data.captions=x")
    assert "give the name of a column" in refused("data", "inspect", "shop.csv", "--set", "data.caption=3")


def test_what_two_sources_share_is_said(lexel, refused, here):
    out = lexel("data", "inspect", here, "--against", here).out
    assert "2 images are in" in out
    assert "must not be measured" in out
    assert 'Did you mean "empty"?' in refused("data", "inspect", here, "--against", "emtpy")
    assert "empty has no images" in lexel("data", "inspect", here, "--against", "empty").err


def test_a_page_is_written_and_a_model_asked(lexel, here, tiny_model):
    done = lexel("data", "inspect", "scenes:30", "--model", tiny_model, "--html", "page.html", "--json")
    assert done.json["model"]["texts"] == done.json["captions"]
    assert "scenes:30" in Path("page.html").read_text()
    out = lexel("data", "inspect", "scenes:30", "--model", tiny_model).out
    assert "tokens per caption" in out
    assert "worst match" in out


def test_a_page_where_none_can_be_and_a_model_that_is_none_are_refused_first(refused, here):
    assert "no folder" in refused("data", "inspect", here, "--html", "no/page.html")
    assert refused("data", "inspect", here, "--model", "nowhere")
    assert "--runtime says how --model" in refused("data", "inspect", here, "--runtime", "torch")
