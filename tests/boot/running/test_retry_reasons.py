"""Which failures are live traffic's doing, and what is said of them and of who is in the way."""

from datetime import UTC, datetime

import pytest

from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.running.blockers import AnyBlocker, Blocker, PreparedTransaction, listed
from alembic_boot.running.obstacles import Obstacles
from alembic_boot.running.retry_reasons import CutShortError, again, over, phrase

SINCE = datetime(2026, 11, 23, 11, 2, 3, tzinfo=UTC)
AT = f"{SINCE.astimezone():%H:%M:%S}"

REPORT = Blocker(4711, "report", "idle in transaction", SINCE)
NIGHTLY = PreparedTransaction("nightly", "moriai_user", SINCE)
NIGHTLY_TEXT = (
    f"the prepared transaction 'nightly' (of moriai_user, since {SINCE.astimezone():%Y-%m-%d} {AT})"
)


@pytest.mark.parametrize(
    ("state", "has_cancelled", "expected"),
    [
        ("55P03", False, "is blocked by {}"),
        ("40P01", False, "was the victim of a deadlock with {}"),
        ("40001", False, "conflicts with a change that another session has committed"),
        ("57014", True, "is blocked by {}"),
        ("57014", False, None),  # somebody else's cancel, or statement_timeout
        ("25P02", True, None),
        ("42P01", False, None),
        ("", False, None),
        (None, True, None),
    ],
)
def test_phrase(state: str | None, has_cancelled: bool, expected: str | None) -> None:
    assert phrase(state, has_cancelled=has_cancelled) == expected


def test_a_wait_that_was_cut_short_unseen() -> None:
    """It is tried again like one that raised."""
    assert phrase(sqlstate(CutShortError("002")), has_cancelled=False) == "is blocked by {}"


@pytest.mark.parametrize(
    ("blockers", "expected"),
    [
        ([], "a session that was not seen in time"),
        ([REPORT], f"backend 4711 (report, idle in transaction, query since {AT})"),
        ([Blocker(7, "", "active", SINCE)], f"backend 7 (active, query since {AT})"),
        ([Blocker(7, "report")], "backend 7 (report)"),  # another role's, and the rest is hidden
        ([Blocker(7)], "backend 7"),
        ([Blocker(7, is_vacuum=True)], "backend 7 (autovacuum)"),
        ([Blocker(7), NIGHTLY], f"backend 7, {NIGHTLY_TEXT}"),
    ],
)
def test_blockers(blockers: list[AnyBlocker], expected: str) -> None:
    assert listed(blockers) == expected


def test_sentences() -> None:
    who = f"backend 4711 (report, idle in transaction, query since {AT})"
    assert again("002 Books", "is blocked by {}", [REPORT], 120) == (
        f"Migration 002 Books is blocked by {who}; retrying for up to 120 s"
    )
    error = over("002 Books", "is blocked by {}", [REPORT], 0.5)
    assert error.exit_status == 5
    assert str(error) == (
        f"Migration 002 Books is blocked by {who}; live traffic has blocked migrations for "
        "more than 0.5 s. See what it is doing, or set MIGRATE_TRAFFIC_TIMEOUT higher. The "
        "revision was rolled back."
    )


def test_a_name_with_braces() -> None:
    """What others call themselves is text, and nothing else."""
    line = again("{0}", "is blocked by {}", [Blocker(7, "{x} %s")], 1)
    assert line.startswith("Migration {0} is blocked by backend 7 ({x} %s); ")


@pytest.mark.parametrize(
    ("obstacles", "expected"),
    [
        (Obstacles(), []),
        (
            Obstacles(dumps=((7, "pg_dump"), (8, "nightly"), (9, ""))),
            ["pg_dump (backend 7).", "pg_dump (backend 8, nightly).", "pg_dump (backend 9)."],
        ),
        (
            Obstacles(vacuums=((7, "public.books"),), prepared=(NIGHTLY,)),
            ["a vacuum of public.books against wraparound (backend 7), ", f"{NIGHTLY_TEXT}. "],
        ),
    ],
)
def test_obstacles(obstacles: Obstacles, expected: list[str]) -> None:
    found = list(obstacles.sentences())
    assert len(found) == len(expected)
    for sentence, beginning in zip(found, expected, strict=True):
        assert sentence.startswith(f"In the way: {beginning}")
