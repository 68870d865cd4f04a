"""A browser, and a server of coloured pictures for it. Without a browser these tests are skipped, and say so."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from colours_served import coloured_folder, colours, served  # noqa: F401 - fixtures

from lexel.encoder import Encoder
from lexel.server.service import Service

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
MILLISECONDS = 20_000  # that anything may take on a busy machine
ABSENT = "needs a browser: apt-get install chromium"
NETWORK_NOTE = "Failed to load resource"  # which the browser writes for every refusal, as the page tells in words


def is_problem(kind: str, text: str) -> bool:
    """Whether a line on the browser's console says that the page is broken, such as a breach of its policy."""
    return kind in ("error", "warning") and NETWORK_NOTE not in text


@pytest.fixture(scope="session")
def library_url(coloured_folder: Path, colours: Encoder) -> Iterator[str]:  # noqa: F811
    """A server of 60 coloured pictures."""
    with served(Service(colours, coloured_folder)) as url:
        yield url


@pytest.fixture(scope="session")
def model_url(tiny_model: Path) -> Iterator[str]:
    """A server of a tiny trained model, whose run lies beside it."""
    with served(Service.open(tiny_model)) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(ABSENT)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Open a page of a server: `visit(url, "#/map", width=390)`. What the page complains of fails the test."""
    contexts, problems = [], []

    def open_page(url: str, place: str = "", *, width: int = 1280, height: int = 850, **given):
        context = browser.new_context(viewport={"width": width, "height": height}, **given)
        contexts.append(context)
        context.set_default_timeout(MILLISECONDS)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if is_problem(said.type, said.text) else None)
        page.goto(f"{url}/{place}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
