import re

import pytest
from playwright.sync_api import Page, expect

BOARD = "canvas.board"


def stroke(page: Page, *points: tuple[float, float]) -> None:
    """Draw with the mouse, in shares of the board's sides."""
    box = page.locator(BOARD).bounding_box()
    assert box is not None
    first, *others = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*first)
    page.mouse.down()
    for point in others:
        page.mouse.move(*point, steps=4)
    page.mouse.up()


def ink(page: Page) -> int:
    """How many pixels of the board are not white."""
    return page.evaluate(
        """() => {
          const board = document.querySelector("canvas.board");
          const pixels = board.getContext("2d").getImageData(0, 0, board.width, board.height).data;
          let inked = 0;
          for (let i = 0; i < pixels.length; i += 4) if (pixels[i] + pixels[i + 1] + pixels[i + 2] < 740) inked++;
          return inked;
        }"""
    )


def test_probabilities_move_while_labels_are_typed(visit, library_url, coloured_folder):
    page = visit(library_url, "#/playground")
    page.locator('.given input[type="file"]').set_input_files(coloured_folder.parent / "pictures" / "red-1.png")
    page.get_by_label("Labels, one a line").fill("blue\ngreen")
    expect(page.locator(".answers li")).to_have_count(2)
    page.get_by_label("Labels, one a line").fill("blue\ngreen\nred")
    best = page.locator(".answers li").first
    expect(best.locator(".text")).to_have_text("red")
    expect(best.locator(".number")).to_have_text(re.compile(r"^(9\d|100) %$"))
    expect(page.get_by_role("status")).to_contain_text("red: ")


def test_templates_are_chosen_and_said_and_ones_own_is_taken(visit, library_url):
    page = visit(library_url, "#/playground")
    page.get_by_label("Labels, one a line").fill("red\nblue")
    page.get_by_label("Sentences").select_option("photo")
    expect(page.locator(".asked")).to_contain_text("more, and takes their mean")
    with page.expect_request(lambda asked: "in the rain" in (asked.post_data or "")):
        page.get_by_label("Sentences").select_option("my own")
        page.get_by_label("A sentence with {} for the label").fill("a {} in the rain")
    expect(page.locator(".asked")).to_contain_text("“a red in the rain”")


def test_a_sentence_without_a_place_for_the_label_is_explained(visit, library_url):
    page = visit(library_url, "#/playground")
    page.get_by_label("Labels, one a line").fill("red\nblue")
    page.get_by_label("Sentences").select_option("my own")
    page.get_by_label("A sentence with {} for the label").fill("no place")
    expect(page.get_by_role("alert")).to_contain_text("{}")


def test_several_pictures_are_compared_with_several_texts(visit, library_url, coloured_folder):
    page = visit(library_url, "#/playground")
    pictures = [coloured_folder.parent / "pictures" / f"{colour}-0.png" for colour in ("red", "blue")]
    for button in range(5):  # those that it begins with
        expect(page.locator(".matrix-picture")).to_have_count(5 - button)
        page.locator(".matrix-picture button").first.click()
    page.locator('.given input[type="file"]').set_input_files(pictures)
    page.get_by_label("Texts, one a line").fill("a blue thing\na red thing")
    expect(page.locator(".matrix tbody tr").nth(0).locator("td").nth(1)).to_have_class("best")
    expect(page.locator(".matrix tbody tr").nth(1).locator("td").nth(0)).to_have_class("best")
    page.get_by_label("Show", exact=True).select_option("cosines")
    expect(page.locator(".matrix tbody td").first).to_have_text(re.compile(r"^-?0\.\d\d$"))


def test_a_model_alone_brings_scenes_that_it_has_never_seen(visit, model_url):
    page = visit(model_url)
    expect(page.get_by_role("heading", name="Playground")).to_be_visible()
    expect(page.locator(".shelf button")).to_have_count(24)
    expect(page.locator(".given")).to_contain_text("learned from none of them")
    expect(page.locator(".answers li").first).to_be_visible()
    page.locator(".shelf button").nth(3).click()
    expect(page.locator(".shelf button").nth(3)).to_have_attribute("aria-pressed", "true")
    assert page.get_by_role("link", name="Search").count() == 0


def test_the_map_shows_groups_by_name_and_a_photo_leads_to_the_search(visit, library_url):
    page = visit(library_url, "#/map")
    expect(page.locator(".map-canvas")).to_be_visible(timeout=60_000)
    groups = page.get_by_role("list", name="Groups").get_by_role("button")
    expect(groups.first).to_contain_text("60")
    assert groups.count() >= 3
    groups.nth(1).focus()
    page.keyboard.press("Enter")
    expect(groups.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("status")).to_contain_text("photos")
    page.locator(".map-canvas").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert re.search(r"#/search\?like=\d+&photo=\d+", page.url)


def test_the_map_is_dragged_zoomed_and_shows_captions(visit, library_url):
    page = visit(library_url, "#/map")
    expect(page.locator(".map-canvas")).to_be_visible(timeout=60_000)
    page.wait_for_timeout(300)

    def shown() -> str:
        page.wait_for_timeout(120)
        return page.evaluate("document.querySelector('.map-canvas').toDataURL()")

    before = shown()
    box = page.locator(".map-canvas").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 240, steps=4)
    page.mouse.up()
    dragged = shown()
    assert dragged != before
    page.mouse.wheel(0, -600)
    zoomed = shown()
    assert zoomed != dragged
    page.get_by_label("captions").check()
    assert shown() != zoomed
    nearer = shown()
    page.get_by_label("Show all").click()
    page.wait_for_timeout(900)  # it glides
    assert shown() != nearer


def test_a_map_that_is_still_being_made_says_what_it_is_at(visit, library_url):
    page = visit(library_url)
    state = {"state": "working", "parts": ["Putting photos into groups", "Arranging 60 photos"], "seconds": 4.2}
    page.route("**/page/map", lambda route: route.fulfill(json=state))
    page.get_by_role("link", name="Map").click()
    expect(page.locator(".parts .now")).to_have_text("Arranging 60 photos")
    page.unroute("**/page/map")
    expect(page.locator(".map-canvas")).to_be_visible(timeout=60_000)


def test_a_drawing_is_judged_with_each_stroke_undone_redone_and_cleared(visit, library_url):
    page = visit(library_url, "#/draw")
    expect(page.locator(".prompt")).not_to_be_empty()
    with page.expect_response("**/page/drawing/score") as judged:
        stroke(page, (0.2, 0.2), (0.8, 0.3), (0.6, 0.8))
    assert 0 <= judged.value.json()["points"] <= 100
    expect(page.locator(".verdict")).not_to_contain_text("clock starts")
    expect(page.locator(".judged .bars li")).to_have_count(3)
    first = ink(page)
    page.get_by_label("red", exact=True).click()
    page.get_by_label("thick").click()
    stroke(page, (0.1, 0.9), (0.9, 0.9))
    both = ink(page)
    assert both > first > 500
    page.get_by_label("Undo", exact=True).click()
    assert ink(page) == first
    page.get_by_label("Redo", exact=True).click()
    assert ink(page) == both
    page.get_by_label("Eraser", exact=True).click()
    page.get_by_label("huge").click()
    stroke(page, (0.1, 0.9), (0.9, 0.9))
    assert ink(page) < both
    page.get_by_label("Clear the board").click()
    assert ink(page) == 0
    expect(page.locator(".points")).to_have_text("0")


def test_one_draws_with_the_keyboard_alone(visit, library_url):
    page = visit(library_url, "#/draw")
    page.locator(BOARD).focus()
    page.keyboard.press("Space")
    for _ in range(12):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    drawn = ink(page)
    assert drawn > 500
    page.keyboard.press("Control+z")
    assert ink(page) == 0
    page.keyboard.press("Control+Shift+z")
    assert ink(page) == drawn


def test_a_finger_draws_too(visit, library_url):
    page = visit(library_url, "#/draw", width=390, height=800, has_touch=True)
    box = page.locator(BOARD).bounding_box()
    page.touchscreen.tap(box["x"] + 50, box["y"] + 50)
    assert ink(page) > 20


def test_players_are_ranked_and_remembered_on_this_machine(visit, library_url):
    page = visit(library_url, "#/draw")

    def verdict(points: int):
        answer = {"points": points, "probability": 0.5, "place": 1, "match": 0.5, "writing": 0.0, "is_writing": False}
        return lambda route: route.fulfill(json=answer | {"guesses": [{"text": "a cat", "probability": 0.5}]})

    prompt = page.locator(".prompt").text_content()
    page.evaluate(
        "prompt => localStorage.setItem('lexel-rankings', JSON.stringify({[prompt]: [{name: 'Ada', points: 60}]}))",
        prompt,
    )
    page.route("**/page/drawing/score", verdict(71))
    stroke(page, (0.2, 0.2), (0.8, 0.8))
    expect(page.locator(".points")).to_have_text("71")
    page.get_by_role("button", name="Done").click()
    page.get_by_label("Your name").fill("<b>Grace</b>")
    page.keyboard.press("Enter")
    expect(page.locator(".ranking li")).to_have_text(["<b>Grace</b>71", "Ada60"])
    drawn = ink(page)
    stroke(page, (0.8, 0.2), (0.2, 0.8))
    assert ink(page) == drawn  # the time is over
    page.get_by_role("button", name="Another prompt").click()
    assert ink(page) == 0
    expect(page.locator(".prompt")).not_to_have_text(prompt or "")


def test_writing_instead_of_drawing_is_said(visit, library_url):
    page = visit(library_url, "#/draw")
    answer = {"points": 1, "probability": 0.9, "place": 1, "match": 0.5, "writing": 0.97, "is_writing": True}
    told = answer | {"guesses": [{"text": "a cat", "probability": 0.9}]}
    page.route("**/page/drawing/score", lambda route: route.fulfill(json=told))
    stroke(page, (0.2, 0.2), (0.8, 0.8))
    expect(page.locator(".verdict")).to_contain_text("looks written, not drawn (97 %)")


def test_the_training_is_scrubbed_through_by_keyboard_and_played(visit, model_url):
    page = visit(model_url, "#/learn")
    slider = page.get_by_label("Moment of training")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator(".scrub output")).to_have_text("before the first step")
    page.keyboard.press("End")
    expect(page.locator(".scrub output")).to_have_text(re.compile(r"after (\d+) of \1 steps"))
    shares = page.locator(".growth tbody tr").first.locator("td")
    total = shares.evaluate_all(
        "cells => cells.reduce((sum, cell) => sum + Number(cell.style.getPropertyValue('--share')), 0)"
    )
    assert total == pytest.approx(1, abs=1e-6)
    page.get_by_role("button", name="Play the training").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_role("button", name="Play the training")).to_be_visible()


def test_without_a_training_at_hand_a_batch_is_shown_as_the_model_sees_it_now(visit, library_url):
    page = visit(library_url, "#/learn")
    expect(page.locator(".learn-batch .matrix")).to_be_visible()
    expect(page.locator(".learn-batch")).to_contain_text("choose their own caption")
