"""Lists, read page after page."""

from collections.abc import Iterator
from typing import Any

import httpx

from tests.api.paths import BOOKS


def walk(client: httpx.Client, limit: int, **filters: str) -> Iterator[list[dict[str, Any]]]:
    """Give the pages of the list, one after the other, as a client would turn them."""
    parameters: dict[str, str | int] = {"limit": limit, **filters}
    while True:
        answer = client.get(BOOKS, params=parameters)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        yield body["items"]
        if body["next_cursor"] is None:
            return
        parameters["cursor"] = body["next_cursor"]


def titles(pages: Iterator[list[dict[str, Any]]]) -> list[str]:
    return [book["title"] for page in pages for book in page]
