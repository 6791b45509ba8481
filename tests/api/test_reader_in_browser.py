"""The reader in a real browser, by the keyboard alone."""

from collections.abc import Iterator

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from tests.boot.status_page.browser import Browser, browsing, faults, look

pytestmark = pytest.mark.slow

_TOO_WIDE = "return document.documentElement.scrollWidth > innerWidth"
_SEEN = "return getComputedStyle(document.activeElement).outlineStyle"
_BROKEN = "return [...document.images].filter((it) => !it.naturalWidth).map((it) => it.src)"
_HURRY = "for (const it of document.images) it.loading = 'eager'"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser."""
    with browsing() as driver:
        yield driver


def press_link(browser: Browser, text: str) -> None:
    """Move the focus from one link to the next, until it is on this one; then open the link."""
    for _ in range(10):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        assert browser.execute_script(_SEEN) == "solid"
        if text in browser.switch_to.active_element.text:
            browser.switch_to.active_element.send_keys(Keys.ENTER)
            return
    pytest.fail(f"The keyboard does not reach {text}.")


def assert_well_made(browser: Browser) -> None:
    """Nothing is cut, and axe finds no fault."""
    assert (browser.execute_script(_TOO_WIDE), faults(browser)) == (False, [])


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1400, "light")])
def test_a_book_is_read_by_the_keyboard(
    browser: Browser, seeded_client: httpx.Client, width: int, scheme: str
) -> None:
    """From the shelf to the end and back to the shelf; the policy is in the way of nothing."""
    look(browser, width, scheme=scheme)
    browser.get(str(seeded_client.base_url.join("/read")))
    browser.execute_script(_HURRY)
    assert_well_made(browser)
    press_link(browser, "My Mountain Adventure")
    for number in range(1, 5):
        assert f"Page {number} of 4" in browser.title
        assert_well_made(browser)
        assert browser.execute_script(_BROKEN) == []
        press_link(browser, "Next page" if number < 4 else "The end")
    assert browser.current_url.endswith("/read")
    assert browser.get_log("browser") == []
