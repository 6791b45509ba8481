"""The status page as text: what a browser need not be asked."""

import re
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import pytest

from alembic_boot.status_page.drawing.texts import LANGUAGES
from alembic_boot.status_page.render import (
    POLICY,
    SCRIPT_HASH,
    STYLE_HASH,
    language_of,
    page,
    revision_page,
)
from alembic_boot.status_page.report import Session
from tests.boot.status_page.reports import BLOCKED, DETAIL, LONG, READY, REPORTS

HOSTILE = """"'><script>alert(1)</script><img src=x onerror=alert(1)>{at}"""


def _hostile(value: Any) -> Any:
    """Return a value of a report with markup in each of its texts."""
    if is_dataclass(value) and not isinstance(value, type):
        changed = {it.name: _hostile(getattr(value, it.name)) for it in fields(value)}
        return type(value)(**changed)
    if isinstance(value, tuple):
        return tuple(_hostile(it) for it in value)
    return HOSTILE if isinstance(value, str) and not isinstance(value, Enum) else value


def _markup(document: str) -> str:
    """Return a document without its style and its script, which our hashes allow."""
    return re.sub(r"<(style|script)>.*?</\1>", "", document, count=2, flags=re.DOTALL)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", REPORTS)
def test_what_comes_from_outside_is_text(state: str, language: str) -> None:
    written = _markup(page(_hostile(replace(REPORTS[state], state=None)), language))
    assert "<script" not in written
    assert "<img" not in written
    assert "onerror" in written


def test_the_source_of_a_revision_is_text() -> None:
    written = _markup(revision_page(_hostile(DETAIL), "en"))
    assert "<script" not in written
    assert "<img" not in written


@pytest.mark.parametrize("document", [page(LONG, "ko"), revision_page(DETAIL, "en")])
def test_a_strict_policy_is_enough(document: str) -> None:
    """No attribute has a style or a handler, and nothing is loaded."""
    assert re.findall(r"<[^>]*\s(?:style|on\w+|src)=", _markup(document)) == []
    assert "://" not in document
    assert "unsafe" not in POLICY
    assert STYLE_HASH in POLICY
    assert SCRIPT_HASH in POLICY


def test_the_page_refreshes_itself_without_a_script_while_something_runs() -> None:
    refresh = '<noscript><meta http-equiv="refresh" content="2"></noscript>'
    assert refresh in page(BLOCKED, "en")
    assert refresh not in page(READY, "en")


def test_links_keep_the_page_of_the_journal_and_the_language() -> None:
    journal = READY.journal
    assert journal is not None
    written = page(replace(READY, journal=replace(journal, number=3)), "ko")
    for link in ("2&amp;lang=ko", "4&amp;lang=ko", "3&amp;lang=en", "3&amp;lang=ko"):
        assert f'href="/_boot?journal={link}"' in written


def test_ids_are_quoted_in_links() -> None:
    revision = replace(DETAIL.revision, id="a/b?c", down=("d e",))
    assert '"/_boot/revisions/a%2Fb%3Fc?lang=en"' in page(
        replace(READY, revisions=(revision,)), "en"
    )
    assert '"/_boot/revisions/d%20e?lang=en"' in revision_page(
        replace(DETAIL, revision=revision), "en"
    )


@pytest.mark.parametrize(
    ("header", "asked", "language"),
    [
        (None, None, "en"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", None, "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", None, "en"),
        ("de, ko;q=0.5, en;q=0.4", None, "ko"),
        ("ko;q=0.4, en ; q=0.5", None, "en"),
        ("ko;q=0, de", None, "en"),
        ("ko;q=much, de;;,", None, "en"),
        ("en", "ko", "ko"),
        ("ko", "en", "en"),
        ("ko", "de", "ko"),
        ("de," * 100_000 + "ko", None, "en"),
    ],
)
def test_the_language_is_the_one_asked_for(
    header: str | None, asked: str | None, language: str
) -> None:
    assert language_of(header, asked) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_bounded(language: str) -> None:
    """However long the history is and however many tables there are."""
    tables = tuple(
        replace(it, name=f"{it.name}{n}") for n in range(100) for it in LONG.tables or ()
    )
    revisions = tuple(
        replace(it, id=f"{it.id}{n}") for n in range(20) for it in LONG.revisions or ()
    )
    assert len(page(replace(LONG, tables=tables, revisions=revisions), language)) < 400_000


@pytest.mark.parametrize(
    ("session", "role"),
    [
        (Session("boot", True, "1.9.0", None, None), "starter"),
        (Session("moriai", False, "1.9.0", None, None), "replica"),
        (Session("psql", False, None, None, None), "other"),
    ],
)
def test_the_role_of_a_session(session: Session, role: str) -> None:
    """A session that names no release is none of ours."""
    assert f'<td data-label="Role">{role}</td>' in page(replace(READY, sessions=(session,)), "en")
