"""Draw the pages from their templates."""

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.reader.columns import columns_of, local_picture
from backend.reader.static_files import static_files, style_address
from backend.reader.words import Words
from backend.schemas.books import BookList
from backend.services.shared_pages import SharedPage

if TYPE_CHECKING:
    from jinja2 import Environment

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    # A book may become private at any time.
    "Cache-Control": "no-cache",
    "Vary": "Accept, Accept-Language",
}
"""Headers of every page."""


def draw_shelf(words: Words, books: BookList) -> bytes:
    """Return a page of the shelf."""
    return _drawn("shelf", words, books=books.items, next_cursor=books.next_cursor)


def draw_page(words: Words, shared: SharedPage) -> bytes:
    """Return a page of a book."""
    columns = [] if shared.page is None else columns_of(shared.page, static_files())
    return _drawn("page", words, shared=shared, page=shared.page, columns=columns)


@lru_cache(100)
def draw_problem(words: Words, status: int, seconds: str) -> bytes:
    """Return the page for a problem: what happened, and what to do."""
    title, hint = {
        404: (words.not_found, words.not_found_hint),
        503: (words.unavailable, words.unavailable_hint.format(seconds=seconds)),
    }.get(status, (words.failed, words.failed_hint))
    return _drawn("problem", words, title=title, hint=hint, is_for_a_moment=status == 503)


def _drawn(template: str, words: Words, **values: Any) -> bytes:
    return _templates().get_template(f"{template}.html").render(words=words, **values).encode()


@cache
def _templates() -> "Environment":
    # At the first page: a start does not wait for Jinja2.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["style"] = style_address()
    templates.filters["local_picture"] = local_picture
    return templates
