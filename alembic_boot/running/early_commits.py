"""Early commits: what a revision commits before its version row moves."""

import logging
from collections.abc import Callable, Iterable

from alembic_boot.sql.pieces import name_of
from alembic_boot.sql.repetition import again, is_repeatable
from alembic_boot.sql.statement import commits

_log = logging.getLogger(__name__)

_MOST = 10
"""Statements that are named."""


class EarlyCommits:
    """Notes the committed statements of each revision that may do harm if they run again.

    `write` writes the note in the session of these statements: in the transaction that commits
    them, or before a statement that commits itself. So the note survives every crash.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._committed: list[str] = []
        self._pending: list[str] = []
        """The statements of the open transaction."""

    def start(self) -> None:
        """Begin with the next revision, or again with the same."""
        self._committed, self._pending = [], []

    def inside(self, statement: str) -> None:
        """Note a statement of a transaction, before it is executed."""
        if not is_repeatable(statement):
            self._pending.append(name_of(statement))
        if commits(statement):
            self.committing()

    def alone(self, statement: str) -> None:
        """Note a statement that commits itself, before it is executed.

        The next try may run it in a form that is safe to repeat. A statement of a transaction is
        repeated unchanged.
        """
        if not is_repeatable(again(statement)):
            self._pending.append(name_of(statement))
        self.committing()

    def undone(self, statement: str) -> None:
        """Remove the note of a statement that has failed."""
        if not is_repeatable(again(statement)):
            self._committed.remove(name_of(statement))
            self._write(_listed(self._committed))

    def rolled_back(self) -> None:
        """Note that the open transaction was rolled back."""
        self._pending = []

    def committing(self) -> None:
        """Write what is about to be committed, if anything."""
        if self._pending:
            self._committed, self._pending = self._committed + self._pending, []
            self._write(_listed(self._committed))

    def warn(self, label: str) -> None:
        """Log what a failed revision has committed."""
        if self._committed:
            _log.warning(
                "Migration %s keeps what it committed: %s. A new run repeats this part",
                label,
                _listed(self._committed),
            )


def _listed(names: Iterable[str]) -> str:
    names = list(dict.fromkeys(names))
    more = [f"{len(names) - _MOST} more"] if len(names) > _MOST else []
    return "; ".join(names[:_MOST] + more)
