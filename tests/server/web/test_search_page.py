import re

from colours_served import EACH
from playwright.sync_api import Page, expect

FIELD = "What is to be seen"


def photos(page: Page):
    return page.locator(".grid .photo")


def labels(page: Page, count: int) -> list[str]:
    """What the first photos of the grid are called."""
    return [photos(page).nth(number).get_attribute("aria-label") or "" for number in range(count)]


def type_words(page: Page, words: str) -> None:
    """Type, and wait for the answer to these words."""
    with page.expect_response(lambda answer: "v1/search" in answer.url and words in (answer.request.post_data or "")):
        page.get_by_label(FIELD).fill(words)
    expect(page.locator("main")).not_to_have_attribute("aria-busy", "true")


def paste_picture(page: Page, colour: str) -> None:
    """Paste a picture of one colour, as from another program."""
    page.evaluate(
        """async colour => {
          const canvas = new OffscreenCanvas(40, 40), context = canvas.getContext("2d");
          context.fillStyle = colour; context.fillRect(0, 0, 40, 40);
          const transfer = new DataTransfer();
          transfer.items.add(new File([await canvas.convertToBlob()], `${colour}.png`, { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
        }""",
        colour,
    )


def test_all_photos_are_there_before_anything_is_asked_and_more_come_while_one_scrolls(visit, library_url):
    page = visit(library_url)
    expect(photos(page).first).to_be_visible()
    expect(page.locator(".summary")).to_contain_text("60 photos")
    page.mouse.wheel(0, 20_000)
    expect(photos(page)).to_have_count(60)


def test_words_find_photos_while_they_are_typed(visit, library_url):
    page = visit(library_url)
    type_words(page, "something red")
    assert all(label.startswith("red-") for label in labels(page, EACH))
    expect(page.locator(".summary")).to_contain_text(f"{EACH} photos fit")
    expect(photos(page).first.locator(".score")).to_have_text(re.compile(r"\d+ %"))
    assert "#/search?q=something+red" in page.url


def test_an_older_answer_never_overwrites_a_newer_one(visit, library_url):
    page = visit(library_url)
    expect(photos(page).first).to_be_visible()

    def slow(route):
        answer = route.fetch()
        if "red" in (route.request.post_data or ""):
            page.wait_for_timeout(700)
        route.fulfill(response=answer)

    page.route("**/v1/search", slow)
    page.get_by_label(FIELD).fill("red")
    page.wait_for_timeout(250)  # it has been asked
    page.get_by_label(FIELD).fill("blue")
    page.wait_for_timeout(1500)
    assert labels(page, 1)[0].startswith("blue-")


def test_chips_of_words_are_added_turned_and_removed(visit, library_url):
    page = visit(library_url, "#/search?q=red")
    page.get_by_label("More of this").click()
    expect(page.get_by_role("button", name="red, with: change")).to_be_visible()
    assert "and=red" in page.url
    page.get_by_label(FIELD).fill("-purple")
    page.keyboard.press("Enter")
    expect(page.locator(".chip.minus")).to_contain_text("purple")
    assert "no-and=purple" in page.url
    page.get_by_role("button", name="red, with: change").click()
    expect(page.locator(".chip.minus")).to_have_count(2)
    page.get_by_label("Remove purple").click()
    expect(page.locator(".chip")).to_have_count(1)
    page.get_by_label(FIELD).focus()
    page.keyboard.press("Backspace")
    expect(page.locator(".chip")).to_have_count(0)


def test_a_minus_leaves_photos_out(visit, library_url):
    page = visit(library_url, "#/search?no-and=red&where=name%20LIKE%20'red%25'%20OR%20name%20LIKE%20'blue%25'")
    expect(photos(page)).to_have_count(EACH)
    assert all(label.startswith("blue-") for label in labels(page, EACH))


def test_a_pasted_picture_finds_photos_like_it(visit, library_url):
    page = visit(library_url)
    expect(photos(page).first).to_be_visible()
    with page.expect_response("**/v1/search"):
        paste_picture(page, "green")
    expect(page.locator(".chip")).to_contain_text("green.png")
    expect(photos(page).first).to_have_attribute("aria-label", re.compile("^green-"))


def test_a_dropped_picture_finds_photos_like_it_and_a_text_file_is_refused(visit, library_url):
    page = visit(library_url)
    expect(photos(page).first).to_be_visible()
    drop = """async ([name, type, colour]) => {
      const canvas = new OffscreenCanvas(40, 40), context = canvas.getContext("2d");
      context.fillStyle = colour; context.fillRect(0, 0, 40, 40);
      const transfer = new DataTransfer();
      transfer.items.add(new File([await canvas.convertToBlob()], name, { type }));
      for (const kind of ["dragenter", "drop"])
        document.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(drop, ["y.png", "image/png", "yellow"])
    expect(photos(page).first).to_have_attribute("aria-label", re.compile("^yellow-"))
    page.evaluate(drop, ["notes.txt", "text/plain", "red"])
    expect(page.get_by_role("alert")).to_contain_text("notes.txt is not a picture")


def test_a_chosen_picture_file_finds_photos_like_it(visit, library_url, coloured_folder):
    page = visit(library_url)
    page.locator('input[type="file"]').set_input_files(coloured_folder.parent / "pictures" / "navy-2.png")
    expect(photos(page).first).to_have_attribute("aria-label", re.compile("^navy-"))


def test_filters_narrow_what_is_found_and_stand_in_the_address(visit, library_url):
    page = visit(library_url, "#/search?q=red")
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Show").select_option("possible")
    expect(photos(page)).to_have_count(EACH)
    page.get_by_label("Condition").fill("name LIKE '%-1.png'")
    page.keyboard.press("Enter")
    expect(photos(page)).to_have_count(1)
    assert "least=possible" in page.url
    assert "where=" in page.url
    page.get_by_role("button", name="Clear filters").click()
    expect(photos(page)).to_have_count(60)


def test_a_condition_that_cannot_be_read_is_explained_and_the_page_goes_on(visit, library_url):
    page = visit(library_url)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Condition").fill("colour = 'red")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Condition").fill("")
    page.keyboard.press("Enter")
    expect(photos(page).first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_large_view_tells_facts_and_what_the_model_sees(visit, library_url):
    page = visit(library_url, "#/search?q=red")
    photos(page).first.click()
    view = page.get_by_role("dialog")
    expect(view.get_by_role("heading", level=2)).to_have_text(re.compile(r"^red-\d\.png$"))
    expect(view.locator(".seen")).to_contain_text("red")
    expect(view.locator("dl.facts")).to_contain_text("a red thing")
    assert "photo=" in page.url
    page.keyboard.press("ArrowRight")
    expect(view.locator("dl.facts")).to_contain_text("Caption")
    page.keyboard.press("Escape")
    expect(view).to_be_hidden()
    expect(page).not_to_have_url(re.compile("photo="))
    expect(photos(page).nth(1)).to_be_focused()


def test_more_like_this_searches_by_the_photo(visit, library_url):
    page = visit(library_url, "#/search?q=blue")
    photos(page).first.click()
    page.get_by_role("button", name="More like this").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator(".chip")).to_contain_text("blue-")
    expect(page).to_have_url(re.compile("like="))
    expect(photos(page).first).to_have_attribute("aria-label", re.compile("^blue-"))


def test_back_and_forward_follow_what_was_asked(visit, library_url):
    page = visit(library_url)
    type_words(page, "green")
    page.get_by_label("More of this").click()
    expect(page.locator(".chip")).to_have_count(1)
    photos(page).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.evaluate("history.back()")  # go_back waits for a load, which there is none of
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.evaluate("history.back()")
    expect(page.locator(".chip")).to_have_count(0)
    page.evaluate("history.forward()")
    expect(page.locator(".chip")).to_contain_text("green")


def test_the_keyboard_alone_reaches_everything(visit, library_url):
    page = visit(library_url)
    expect(photos(page).first).to_be_visible()
    page.locator("body").focus()
    page.keyboard.press("/")
    expect(page.get_by_label(FIELD)).to_be_focused()
    page.keyboard.type("yellow")
    expect(photos(page).first).to_have_attribute("aria-label", re.compile("^yellow-"))
    page.keyboard.press("ArrowDown")
    expect(photos(page).nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(photos(page).nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    below = page.evaluate("Number(document.activeElement.dataset.index)")
    assert below > 2
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label(FIELD)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_label(FIELD)).to_have_value("")


def test_nothing_that_fits_is_said_to_people_and_to_screen_readers(visit, library_url):
    page = visit(library_url, "#/search?q=red&least=strong&where=name%20LIKE%20'blue%25'")
    expect(page.locator(".summary")).to_contain_text("Nothing fits")
    expect(page.get_by_role("status")).to_contain_text("Nothing fits")
    expect(photos(page)).to_have_count(0)


def test_a_server_that_is_gone_is_said_in_words(visit, library_url):
    page = visit(library_url)
    expect(photos(page).first).to_be_visible()
    page.route("**/v1/search", lambda route: route.abort())
    page.get_by_label(FIELD).fill("red")
    expect(page.get_by_role("alert")).to_contain_text("does not answer")


def test_a_busy_server_is_asked_again(visit, library_url):
    page = visit(library_url)
    expect(photos(page).first).to_be_visible()
    refused = []

    def busy_once(route):
        if refused:
            route.continue_()
        else:
            refused.append(route)
            route.fulfill(status=429, headers={"Retry-After": "1"}, json={"detail": "Too many wait."})

    page.route("**/v1/search", busy_once)
    page.get_by_label(FIELD).fill("purple")
    expect(photos(page).first).to_have_attribute("aria-label", re.compile("^purple-"))
