"""The answers of the boot server: as a table."""

import asyncio
import json
from dataclasses import replace

import pytest

from alembic_boot.output import masking
from alembic_boot.serving.boot_answers import GRACE, Paths, answer, too_long
from alembic_boot.situation import Situation

NOW = 1000.0
RUNNING = Situation(
    began_at=NOW - 12.34,
    stage="migrate",
    stage_began_at=NOW - 10,
    revision="004 Translations",
    done=3,
    of=8,
    blocked_by="pid 7",
)


def asked(
    request: str,
    situation: Situation = RUNNING,
    paths: Paths = Paths(),  # noqa: B008
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of the answer."""
    reply = asyncio.run(answer(request.encode("latin-1"), situation, NOW, paths)).decode()
    head, _, body = reply.partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    version, status, _reason = line.split(" ", 2)
    assert version == "HTTP/1.1"
    return int(status), dict(it.split(": ", 1) for it in headers), body


def get(path: str, *headers: str, method: str = "GET") -> str:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: test", *headers])


PROBLEM = "application/problem+json"
JSON = "application/json"


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        pytest.param(get("/health/live"), 200, JSON, id="live"),
        pytest.param(get("/health/ready"), 503, JSON, id="ready"),
        pytest.param(get("/health/live?x=1"), 200, JSON, id="query"),
        pytest.param(get("http://test:8000/health/live"), 200, JSON, id="absolute-form"),
        pytest.param(get("/health/live/"), 503, PROBLEM, id="another-path"),
        pytest.param(get("/api/v1/books"), 503, PROBLEM, id="a-route"),
        pytest.param(get("/health/live", method="POST"), 503, PROBLEM, id="another-method"),
        pytest.param(get("*", method="OPTIONS"), 503, PROBLEM, id="asterisk-form"),
        pytest.param(get("http://test", "X: y"), 503, PROBLEM, id="absolute-without-a-path"),
        pytest.param("GET /health/live HTTP/1.0", 200, JSON, id="http-1.0"),
        pytest.param("GET /health/live HTTP/1.1\nHost: test", 200, JSON, id="bare-newlines"),
        pytest.param("GET /health/live", 400, PROBLEM, id="http-0.9"),
        pytest.param("GET /health/live HTTP/2.0", 400, PROBLEM, id="http-2"),
        pytest.param("GET  /health/live HTTP/1.1", 400, PROBLEM, id="two-spaces"),
        pytest.param("\x16\x03\x01\x02\x00", 400, PROBLEM, id="tls"),
        pytest.param("", 400, PROBLEM, id="empty"),
        pytest.param(get("/", "Accept: text/html,*/*"), 503, "text/html; charset=utf-8", id="html"),
        pytest.param(
            get("/", "accept: */*, TEXT/HTML"), 503, "text/html; charset=utf-8", id="case"
        ),
        pytest.param(get("/", "X-Accept: text/html"), 503, PROBLEM, id="another-header"),
        pytest.param(get("/health/ready", "Accept: text/html"), 503, JSON, id="a-probe-is-json"),
        pytest.param(
            get("/", "Accept: text/html", method="POST"), 503, PROBLEM, id="a-browser's-form"
        ),
    ],
)
def test_the_answer(request_: str, status: int, kind: str) -> None:
    """Its length is true, its connection ends, and what will pass says when to ask again."""
    found, headers, body = asked(request_)
    assert (found, headers["Content-Type"]) == (status, kind)
    assert headers["Content-Length"] == str(len(body.encode()))
    assert headers["Connection"] == "close"
    assert headers["Cache-Control"] == "no-store"
    assert ("Retry-After" in headers) == (status == 503)
    if kind == PROBLEM:
        assert json.loads(body)["status"] == status


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/", "/other"])
def test_head_is_get_without_its_body(path: str) -> None:
    status, headers, body = asked(get(path))
    assert asked(get(path, method="HEAD")) == (status, headers, "")
    assert body


def test_readiness() -> None:
    """It has every fact of the situation."""
    assert json.loads(asked(get("/health/ready"))[2]) == {
        "status": "booting",
        "stage": "migrate",
        "revision": "004 Translations",
        "done": 3,
        "of": 8,
        "elapsed": 12.3,
        "blocked_by": "pid 7",
        "reason": "Migration 004 Translations is running (4 of 8).",
    }


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ("wait", "The boot waits for PostgreSQL."),
        ("lock", "Another starter works on the schema."),
        ("of-a-later-release", "The boot is at work."),
    ],
)
def test_a_stage_without_a_reason(stage: str, reason: str) -> None:
    """The stage itself is the reason; one that was noted goes first."""
    situation = Situation(NOW, stage=stage)
    assert json.loads(asked(get("/health/ready"), situation)[2])["reason"] == reason
    told = replace(situation, reason="Not yet: Connection refused")
    found = json.loads(asked(get("/health/ready"), told)[2])["reason"]
    assert found == "Not yet: Connection refused"


def test_a_stage_that_is_overdue() -> None:
    """A process that hangs past its own limit is not alive; one without a limit may take long."""
    stage = Situation(NOW - 9999, stage="wait", stage_began_at=NOW - 100 - GRACE, limit=100)
    assert asked(get("/health/live"), stage)[0] == 200
    status, headers, body = asked(get("/health/live"), replace(stage, limit=99))
    assert (status, headers["Content-Type"]) == (503, PROBLEM)
    assert json.loads(body)["detail"] == "The stage wait takes longer than its own limit."
    assert asked(get("/health/live"), replace(stage, limit=None))[0] == 200


def test_the_paths_are_settings() -> None:
    paths = Paths(live="/alive", ready="/is-ready")
    assert asked(get("/alive"), paths=paths)[0] == 200
    assert json.loads(asked(get("/is-ready"), paths=paths)[2])["status"] == "booting"
    assert asked(get("/health/live"), paths=paths)[0] == 503


def test_no_password_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as JSON nor on the page."""
    monkeypatch.setattr(masking, "_secrets", {"pepper-and-salt"})
    told = replace(
        RUNNING,
        blocked_by="a session of postgresql://me:hunter2@db/app",
        reason="Not yet: pepper-and-salt is no password",
    )
    for request in (get("/health/ready"), get("/", "Accept: text/html")):
        body = asked(request, told)[2]
        assert "hunter2" not in body
        assert "pepper-and-salt" not in body
        assert "***" in body


def test_the_page_escapes() -> None:
    """A title is text, and the page looks again by itself."""
    body = asked(get("/", "Accept: text/html"), replace(RUNNING, revision="<b>004"))[2]
    assert "&lt;b&gt;004" in body
    assert "<b>" not in body
    assert '<meta http-equiv="refresh"' in body


def test_a_head_without_an_end() -> None:
    assert too_long().startswith(b"HTTP/1.1 431 ")
