"""Lines of the log have fields for programs, and the same words for people."""

import logging
from typing import Any

import pytest

from alembic_boot.errors import LockTimeoutError
from alembic_boot.output.log import TextFormatter, report_failure
from alembic_boot.output.log_fields import failure_fields, fields
from alembic_boot.running.blockers import Blocker
from alembic_boot.running.budget import Budget


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"revision": "008"}, {"revision": "008"}),
        ({"label": "008 video urls"}, {"revision": "008"}),
        ({"label": "a1"}, {"revision": "a1"}),
        ({"seconds": 0.0126}, {"duration_ms": 13}),
        ({"seconds": 0.0}, {"duration_ms": 0}),
        ({"rows": 0, "blocked_by": None}, {"rows": 0}),
    ],
)
def test_fields(given: dict[str, Any], expected: dict[str, object]) -> None:
    assert fields("applied", **given) == {"event": "applied", **expected}


def test_a_blocked_revision(caplog: pytest.LogCaptureFixture) -> None:
    """Programs get the revision and what blocks it; a person reads the sentence."""
    budget = Budget(120)
    with caplog.at_level(logging.INFO):
        budget.failed("a1 people", "is blocked by {}", [Blocker(7, "psql")], None)
        budget.succeeded("a1 people")
    blocked, through = caplog.records
    text = TextFormatter("%(message)s").format(blocked)
    assert text == "Migration a1 people is blocked by backend 7 (psql); retrying for up to 120 s"
    found = [(vars(it)["event"], vars(it)["revision"]) for it in (blocked, through)]
    assert found == [("blocked", "a1"), ("unblocked", "a1")]
    assert vars(blocked)["blocked_by"] == "backend 7 (psql)"
    assert isinstance(vars(through)["duration_ms"], int)


@pytest.mark.parametrize(
    ("log_format", "expected"),
    [
        ("text", "No lock. Wait.\n"),
        ("json", '"event": "failed", "error": "LockTimeoutError", "exit_status": 6}\n'),
    ],
)
def test_a_failure(capsys: pytest.CaptureFixture[str], log_format: str, expected: str) -> None:
    """The last line of a failed task has the kind of the failure and its exit status."""
    error = LockTimeoutError("No lock.", "Wait.")
    report_failure(str(error), log_format, failure_fields(error))
    assert capsys.readouterr().err.endswith(expected)
