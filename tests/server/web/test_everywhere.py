"""What holds for every view: accessibility, themes, narrow screens, the policy, the key."""

import pytest
from axe_core_python.sync_playwright import Axe
from colours_served import served
from playwright.sync_api import Page, expect
from pydantic import SecretStr

from lexel.server.service import Service
from lexel.server.settings import ServerSettings

VIEWS = {
    "search": ".grid .photo",
    "search?q=red&and=blue&no-and=green&least=possible": ".summary:not(:empty)",
    "playground": ".answers li",
    "map": ".map-canvas",
    "draw": "canvas.board",
    "learn": ".matrix",
}


def ready(page: Page, view: str) -> None:
    expect(page.locator(VIEWS[view]).first).to_be_visible(timeout=60_000)
    page.wait_for_timeout(400)  # colours that change slowly


def serious(page: Page) -> list[str]:
    """What axe calls serious or critical, with the elements."""
    found = Axe().run(page)["violations"]
    return [
        f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious_in_either_theme_and_nothing_is_wider_than_the_screen(visit, library_url, view):
    page = visit(library_url, f"#/{view}", bypass_csp=True)  # axe is put into the page
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        ready(page, view)
        assert serious(page) == []
    for width in (320, 390, 768):
        page.set_viewport_size({"width": width, "height": 780})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_axe_finds_nothing_serious_in_the_large_view(visit, library_url):
    page = visit(library_url, "#/search?q=red&photo=1", bypass_csp=True)
    expect(page.locator(".photo-view dl.facts dd").first).to_be_visible()
    assert serious(page) == []


def test_the_large_view_fits_a_phone_and_is_closed_there(visit, library_url):
    page = visit(library_url, "#/search?q=red&photo=1", width=390, height=780)
    expect(page.locator(".photo-view dl.facts dd").first).to_be_visible()
    assert page.evaluate("document.querySelector('.photo-view').scrollWidth") <= 390
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_colours_follow_the_system_until_one_chooses(visit, library_url):
    page = visit(library_url, color_scheme="dark")
    ready(page, "search")

    def is_dark() -> bool:
        page.wait_for_timeout(50)
        red = page.evaluate("getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/)[0]")
        return int(red) < 80

    assert is_dark()
    page.get_by_role("button", name="Colours: as the system").click()
    assert not is_dark()
    page.reload()
    assert not is_dark()
    page.get_by_role("button", name="Colours: light").click()
    assert is_dark()


def test_views_are_changed_by_links_and_keyboard_and_told_to_screen_readers(visit, library_url):
    page = visit(library_url)
    ready(page, "search")
    page.get_by_role("link", name="Draw").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_title("Draw · Lexel")
    expect(page.get_by_role("link", name="Draw")).to_have_attribute("aria-current", "page")
    page.evaluate("history.back()")
    expect(page).to_have_title("Search · Lexel")


def test_the_skip_link_leads_to_the_content(visit, library_url):
    page = visit(library_url, "#/learn")
    ready(page, "learn")
    page.locator("body").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_nothing_is_loaded_from_elsewhere(visit, library_url):
    page = visit(library_url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for view in VIEWS:
        page.goto(f"{library_url}/#/{view}")
        ready(page, view)
    assert asked
    assert [url for url in asked if not url.startswith((library_url, "data:", "blob:"))] == []


def test_a_server_with_keys_is_used_after_giving_one(visit, colours, coloured_folder):
    settings = ServerSettings(api_keys=(SecretStr("a-key-of-twenty-signs"),))
    with served(Service(colours, coloured_folder, settings)) as url:
        page = visit(url)
        field = page.get_by_label("Key")
        field.fill("a-wrong-key-of-a-length")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("not accepted")
        page.get_by_label("Key").fill("a-key-of-twenty-signs")
        page.keyboard.press("Enter")
        ready(page, "search")
        expect(page.locator(".grid img").first).to_have_js_property("complete", True)
        assert page.locator(".grid img").first.evaluate("image => image.naturalWidth") > 0
