"""The journal as the status page shows it."""

from collections.abc import Collection
from typing import Any

from psycopg2.extensions import connection as Connection

from alembic_boot.history.history import History
from alembic_boot.state.journal import Journal
from alembic_boot.state.journal_rows import Running
from alembic_boot.status_page.report import JournalPage, JournalRow

ROWS = 25
"""Rows of one page."""

MOST_PAGES = 10_000


def read_page(
    connection: Connection,
    journal: Journal,
    history: History | None,
    dead: Collection[Running],
    number: int = 1,
) -> JournalPage:
    """Return one page of the journal; `dead` are the running rows of dead processes."""
    rows = journal.newest(connection, ROWS + 1, (number - 1) * ROWS)
    shown = tuple(_row(it, history, dead) for it in rows[:ROWS])
    return JournalPage(shown, number, has_older=len(rows) > ROWS)


def read_runs(
    connection: Connection,
    journal: Journal,
    history: History | None,
    dead: Collection[Running],
    revision: str,
) -> tuple[JournalRow, ...]:
    """Return the newest runs of one revision."""
    rows = journal.newest(connection, ROWS, revision=revision)
    return tuple(_row(it, history, dead) for it in rows)


def _row(row: dict[str, Any], history: History | None, dead: Collection[Running]) -> JournalRow:
    revision, status = row["revision"], row["status"]
    died = {(it.revision, it.host, it.pid) for it in dead}
    if status == "running" and (revision, row["host"], row["pid"]) in died:
        status = "died"
    known = history.revisions.get(revision) if history else None
    milliseconds = row["duration_ms"]
    return JournalRow(
        revision=revision,
        title=known.title if known else revision,
        direction=row["direction"],
        phase=row["phase"],
        status=status,
        started_at=row["started_at"],
        seconds=None if milliseconds is None else milliseconds / 1000,
        host=row["host"],
        release=row["app_version"],
        error=row["error"],
    )
