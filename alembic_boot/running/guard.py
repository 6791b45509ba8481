"""The hooks of the loop. On a scratch database they do almost nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from alembic_boot.environment.session import MigrationSession
from alembic_boot.postgres.timeouts import LIFT_OTHERS
from alembic_boot.running.preparation import leave_transaction
from alembic_boot.running.steps import Rows, Step
from alembic_boot.running.transaction import RevisionTransaction

Columns = tuple[str, ...]
"""Parts of a SELECT, each as SQL and free of parameters."""


class Guard:
    """The hooks of the loop, in the order in which the loop calls them.

    This one is for a scratch database. No other session uses that, so there is no lock, no journal
    and no retry.
    """

    def __init__(self, session: MigrationSession) -> None:
        self.session = session
        self.transaction = RevisionTransaction(session)
        self._settings: dict[str, str] = {}
        """The settings of env.py, before ours are set."""

    def check(self) -> None:
        """Raise BootError if this session is not the right one. Nothing has been changed yet."""
        self._settings = self.session.settings()

    def prepare(self) -> None:
        """Get ready for the first step; the version table exists. Raises BootError."""
        self.session.ask(LIFT_OTHERS)  # no pooler is in between
        if not self.session.is_one_unit:
            leave_transaction(self.session, self._settings)

    def start(self, step: Step, following: Step | None) -> None:
        """Begin with a step; another one may follow. Raises BootError if it must not run."""

    @contextmanager
    def trying(self, step: Step) -> Iterator[None]:
        """Enclose one try of a step, with its transaction and its commit."""
        yield

    def beginning(self, columns: Columns) -> tuple[Any, ...]:
        """Query the loop's columns in a transaction that has just begun, and return the values."""
        return self.session.ask(f"SELECT {', '.join(columns)}") if columns else ()

    @contextmanager
    def running(self, step: Step) -> Iterator[None]:
        """Enclose the revision's own function."""
        yield

    def executing(self, statement: str, *, may_prefix: bool = False) -> tuple[str, str]:
        """Note a statement that comes next; return SQL to send in front of it, and the statement.

        With `may_prefix`, the driver sends several statements at once.
        """
        self.transaction.executing(statement)
        return "", statement

    def execute(self, statement: str, execute: Callable[[], object], cursor: Any) -> None:
        """Execute a statement of the revision."""
        execute()

    def committing(self) -> None:
        """Hear that SQLAlchemy is about to commit."""

    def rolled_back(self) -> None:
        """Hear that SQLAlchemy has rolled back."""
        self.transaction.rolled_back()

    def record(self, step: Step, rows: Rows) -> Rows:
        """Move the version table on from these rows, and return the new ones."""
        self.transaction.rejoin()
        return step.record(self.session.context, rows)

    def may_try_again(self, error: Exception) -> bool:
        """Return whether a step that has failed was rolled back and may be tried again now."""
        return False

    def done(self) -> None:
        """Hear that a step is committed."""
