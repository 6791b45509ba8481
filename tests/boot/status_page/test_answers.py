"""The answers of the status page: pure functions, as a table."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alembic_boot.status_page.answers import View, draw, name_of, refused, view_of
from alembic_boot.status_page.report import (
    Condition,
    Report,
    Revision,
    RevisionDetail,
    RevisionStatus,
    RunningRevision,
)
from alembic_boot.status_page.requests import Answer, Request, events, finished, not_yet, owns

REPORT = Report(datetime(2026, 11, 30, tzinfo=UTC), "books", "1.0", Condition.READY)

DETAIL = RevisionDetail(
    Revision("a1", "<script>alert(1)</script>", (), RevisionStatus.APPLIED), "a1.py", "x < 1", None
)

HTML, JSON, STREAM = "text/html; charset=utf-8", "application/json", "text/event-stream"
PROBLEM = "application/problem+json"


def ask(path: str, found: Report | RevisionDetail | None = REPORT, method: str = "GET") -> Answer:
    path, _, query = path.partition("?")
    request = Request(method, path, query, {"accept-language": "ko"})
    view = view_of(request)
    return finished(request, draw(view, found)) if view else refused(request)


@pytest.mark.parametrize(
    ("found", "status", "kind"),
    [
        pytest.param(ask("/_boot"), 200, HTML, id="page"),
        pytest.param(ask("/_boot", method="HEAD"), 200, HTML, id="head"),
        pytest.param(ask("/_boot.json"), 200, JSON, id="json"),
        pytest.param(ask("/_boot/events"), 200, STREAM, id="events"),
        pytest.param(ask("/_boot/revisions/a1", DETAIL), 200, HTML, id="revision"),
        pytest.param(ask("/_boot/revisions/zz", None), 404, PROBLEM, id="unknown-revision"),
        pytest.param(ask("/_boot/other", None), 404, PROBLEM, id="unknown-path"),
        pytest.param(ask("/_boot", method="POST"), 405, PROBLEM, id="another-method"),
        pytest.param(not_yet(), 503, PROBLEM, id="not-collected-yet"),
    ],
)
def test_the_answer(found: Answer, status: int, kind: str) -> None:
    assert (found.status, found.headers["Content-Type"]) == (status, kind)
    assert found.headers["Cache-Control"] == "no-store"
    assert found.headers.get("Allow") == ("GET, HEAD" if status == 405 else None)
    policy = found.headers.get("Content-Security-Policy", "")
    assert policy.startswith("default-src 'none'") == (kind == HTML)
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/_boot", 1),
        ("/_boot.json?journal=3", 3),
        ("/_boot?journal=999999", 10_000),
        ("/_boot?journal=0", 1),
        ("/_boot?journal=-1", 1),
        ("/_boot?journal=%D9%A3", 1),
        ("/_boot/events", 1),
        ("/_boot/revisions/a/b", "a/b"),
        ("/_boot/revisions/a%2Fb", "a%2Fb"),
        ("/_boot/revisions/\0", None),
        ("/_boot/revisions/../../etc/passwd", "../../etc/passwd"),
        ("/_boot/other", None),
        pytest.param("/_boot?" + 30 * "x=1&" + "journal=3", 3, id="many-fields"),
        pytest.param("/_boot?" + 5000 * "x=1&", 1, id="too-many-fields"),
    ],
)
def test_what_is_collected_for_it(path: str, key: int | str | None) -> None:
    """A page of the journal within its bounds, or an id: text, and never a path."""
    path, _, query = path.partition("?")
    view = view_of(Request("GET", path, query))
    assert (view and view.key) == key
    assert view_of(Request("POST", path, query)) is None


def test_languages_share_what_has_none() -> None:
    """The page is drawn for each language, but for no other one, and the data once."""
    asked = [Request("GET", "/_boot", headers={"accept-language": it}) for it in ("en", "ko", "x")]
    assert [view_of(it) for it in asked] == [View(1, "/_boot", it) for it in ("en", "ko", "en")]
    assert len({view_of(replace(it, path="/_boot.json")) for it in asked}) == 1


def test_its_own_paths() -> None:
    assert all(map(owns, ("/_boot", "/_boot.json", "/_boot/revisions/x", "/_boot/")))
    assert not any(map(owns, ("/", "/_bootx", "/_boot.jsonx", "/health/live")))


def test_hostile_text_is_text() -> None:
    body = ask("/_boot/revisions/a1", DETAIL).body
    assert b"<script>alert" not in body
    assert b"&lt;script&gt;alert" in body


def test_the_json_has_every_field() -> None:
    found = json.loads(ask("/_boot.json").body)
    assert found["at"] == "2026-11-30T00:00:00+00:00"
    assert found["condition"] == "ready"
    assert found.keys() == vars(REPORT).keys()


RUNNING = RunningRevision("a1", "A", 1, 2, elapsed=1)


@pytest.mark.parametrize(
    ("changed", "is_news"),
    [
        ({"at": datetime.now(UTC)}, False),
        ({"elapsed": 3.0}, False),
        ({"running": replace(RUNNING, elapsed=2)}, False),
        ({"running": replace(RUNNING, statement="SELECT 1")}, True),
        ({"condition": Condition.DEGRADED}, True),
    ],
)
def test_an_event_is_a_change(changed: dict[str, object], is_news: bool) -> None:
    """Time that passes is none. The first answer only names what the client has."""
    report = replace(REPORT, running=RUNNING)
    name = name_of(report)
    assert events(name.encode(), None) == f"retry: 1000\nid: {name}\n\n".encode()
    again = events(name_of(replace(report, **changed)).encode(), name)  # type: ignore[arg-type]
    assert (b"data: changed" in again) == is_news
