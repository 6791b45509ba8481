"""Requests that wait for a lock in the database."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.waiting import wait_until


def waiting(session: Session) -> int:
    """Return how many requests wait for a lock in this database."""
    session.execute(text("SELECT pg_stat_clear_snapshot()"))
    found: int = session.scalar(
        text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    )
    return found


def await_waiting(session: Session, count: int = 1) -> None:
    """Return when so many requests wait for a lock in this database."""
    wait_until(lambda: waiting(session) >= count)
