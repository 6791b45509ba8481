"""The status page in a real browser.

The pictures of a state are kept as text: what is seen, line by line, and in which columns of the
page each section stands. Pixels would differ with each version of the fonts. What depends on the
fonts is asserted as relations instead: nothing overflows, nothing lies upon something else.
`UPDATE_GOLDEN=1 pytest tests/boot/status_page` writes the kept texts anew.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from alembic_boot.status_page.drawing.texts import LANGUAGES
from alembic_boot.status_page.render import page, revision_page
from tests.boot.status_page.browser import Browser, Site, faults, look
from tests.boot.status_page.reports import BLOCKED, DETAIL, LONG, READY, REPORTS

pytestmark = pytest.mark.slow

_HERE = Path(__file__).parent
_LOOKING = (_HERE / "looking.js").read_text(encoding="utf-8")


def _in_page(browser: Browser, call: str) -> Any:
    return browser.execute_script(f"{_LOOKING}\nreturn {call}")


def _opened(browser: Browser, site: Site, html: str) -> None:
    site.page = html
    browser.get_log("browser")
    browser.get(site.url)


def _wait(browser: Browser, condition: Callable[[Browser], Any]) -> None:
    WebDriverWait(browser, 20, 0.05).until(condition)


def _heading(browser: Browser) -> str:
    return str(browser.execute_script("return document.querySelector('h1').textContent"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", REPORTS)
def test_each_state_is_shown(browser: Browser, site: Site, state: str, language: str) -> None:
    """Its text and its layout are the kept ones; it needs nothing but itself, and is accessible."""
    scheme = "light" if language == "en" else "dark"
    look(browser, 1400, scheme=scheme)
    _opened(browser, site, page(REPORTS[state], language))
    kept = _HERE / "golden" / f"{state}.{language}.txt"
    seen = _in_page(browser, "seen()")
    if os.environ.get("UPDATE_GOLDEN"):
        kept.write_text(seen, encoding="utf-8")
    assert seen == kept.read_text(encoding="utf-8")
    assert _in_page(browser, "[overflowing(), colliding()]") == [[], []]

    look(browser, 360, scheme=scheme)
    browser.execute_script("document.querySelectorAll('details').forEach((it) => it.open = true)")
    assert _in_page(browser, "[overflowing(), colliding()]") == [[], []]
    assert faults(browser) == []
    assert browser.get_log("browser") == []
    assert set(site.asked) - {"/_boot/events"} == {"/_boot"}


def test_long_histories_and_many_tables_have_room(browser: Browser, site: Site) -> None:
    """On each width, and on paper."""
    _opened(browser, site, page(LONG, "ko"))
    for width in (360, 620, 900, 910, 1320, 1330, 1400, 1900):
        look(browser, width)
        assert (width, _in_page(browser, "overflowing()")) == (width, [])
    assert _in_page(browser, "colliding()") == []
    look(browser, 720, media="print")
    assert _in_page(browser, "overflowing()") == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_revision_has_a_page(browser: Browser, site: Site, language: str) -> None:
    """Its source is shown as text, also if there is markup in it."""
    look(browser, 360, scheme="dark")
    _opened(browser, site, revision_page(DETAIL, language))
    source, sql = browser.find_elements(By.CSS_SELECTOR, "section > pre")
    assert [source.text, sql.text] == [(DETAIL.source or "").strip(), (DETAIL.sql or "").strip()]
    assert _in_page(browser, "overflowing()") == []
    assert faults(browser) == []
    assert browser.get_log("browser") == []


def test_the_keyboard_reaches_all(browser: Browser, site: Site) -> None:
    """In the order of the page, and one sees where the focus is."""
    look(browser, 1400)
    _opened(browser, site, page(REPORTS["failed"], "en"))
    count = _in_page(browser, "focusable().length")
    for number in range(count):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        assert _in_page(browser, "focused()") == [number, True]
    assert count > 20


def test_the_keyboard_opens_things(browser: Browser, site: Site) -> None:
    look(browser, 1400)
    _opened(browser, site, page(REPORTS["failed"], "en"))
    browser.find_element(By.CSS_SELECTOR, ".skip").send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.tag_name == "main"
    browser.find_element(By.CSS_SELECTOR, ".failure summary").send_keys(Keys.ENTER)
    assert "dragons & knights" in browser.find_element(By.CSS_SELECTOR, ".failure pre").text
    browser.find_element(By.CSS_SELECTOR, ".graph a").send_keys(Keys.ENTER)
    _wait(browser, lambda it: it.current_url.endswith("/_boot/revisions/008_narrators?lang=en"))


def test_the_page_follows_the_events(browser: Browser, site: Site) -> None:
    """Open details, the focus and the scroll position stay as they are."""
    look(browser, 1400)
    _opened(browser, site, page(BLOCKED, "en"))
    summary = browser.find_element(By.CSS_SELECTOR, "#tables-table summary")
    summary.click()
    browser.execute_script("scrollTo(0, 321)")
    site.page = page(READY, "en")
    site.events.put(b"data: {}\n\n")
    _wait(browser, lambda it: _heading(it) == "Ready")
    assert browser.title == "MoriAI: Ready"
    assert browser.switch_to.active_element.text == "The same as a table"
    assert browser.find_element(By.CSS_SELECTOR, "#tables-table table").is_displayed()
    assert browser.execute_script("return scrollY") == 321
    assert not browser.find_element(By.ID, "lost").is_displayed()
    assert browser.get_log("browser") == []


def test_the_page_survives_a_handover(browser: Browser, site: Site) -> None:
    """The boot server ends the stream; the next answers come from the application."""
    look(browser, 1400)
    _opened(browser, site, page(BLOCKED, "en"))
    lost = browser.find_element(By.ID, "lost")
    assert not lost.is_displayed()
    site.status = 503
    site.events.put(None)
    _wait(browser, lambda _: lost.is_displayed())
    site.status = 200
    _wait(browser, lambda _: not lost.is_displayed())
    _wait(browser, lambda _: site.streams == 2)
    site.page = page(READY, "en")
    site.events.put(b"data: {}\n\n")
    _wait(browser, lambda it: _heading(it) == "Ready")
    assert not browser.find_element(By.ID, "lost").is_displayed()
