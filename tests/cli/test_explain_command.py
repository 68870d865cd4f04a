def test_each_text_has_its_place_and_its_words(lexel, tiny_model, here):
    done = lexel("explain", tiny_model, "red.png", "a red thing", "blue", "--html", "out.html")
    assert done.status == 0
    assert "a red thing" in done.out
    assert "cosine" in done.out
    assert (here / "out.html").read_text().count("<figure>") == 3
    found = lexel("explain", tiny_model, "red.png", "a red thing", "blue", "--json").json
    assert [text["text"] for text in found["texts"]] == ["a red thing", "blue"]
    assert [word["word"] for word in found["texts"][0]["words"]] == ["a", "red", "thing"]
    assert found["texts"][0]["peak"] is None or len(found["texts"][0]["peak"]) == 2


def test_a_damaged_picture_and_an_empty_text_are_errors(lexel, refused, tiny_model, here):
    done = lexel("explain", tiny_model, "broken.jpg", "a")
    assert done.status == 1
    assert done.err.splitlines()[-1].startswith("lexel explain: ")
    assert "Text 1 of 1 is empty" in refused("explain", tiny_model, "red.png", " ")
    assert "a folder" in refused("explain", tiny_model, "red.png", "a", "--html", "empty")
    assert not list(here.glob("*.html"))
