"""Fixtures: one browser for all tests of a process, and a site for each test."""

from collections.abc import Iterator

import pytest

from tests.boot.status_page.browser import Browser, Site, browsing


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give a browser."""
    with browsing() as driver:
        yield driver


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a server of one page."""
    with Site() as running:
        yield running
