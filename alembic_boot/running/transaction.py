"""The transaction of a revision: notice if the revision leaves it, and then begin another.

Old revisions run COMMIT to get outside of a transaction, and some commit through SQLAlchemy. Their
version row and the journal's row still change together, or not at all.
"""

import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

import psycopg2
from alembic.util.exc import CommandError

from alembic_boot.environment.session import COMMIT, MigrationSession
from alembic_boot.private_names import alembic_transaction
from alembic_boot.sql.statement import begins_with_control, commits

_log = logging.getLogger(__name__)

Ask = Callable[[str], object]
"""Runs a query over another session and returns its one value, if this session cannot."""


class TransactionLeftError(CommandError):
    """A revision has ended its transaction in a way that leaves nothing to record as applied."""

    has_no_place = True
    """The error is noticed at the end of the revision, so no line of the file is its cause."""


class Phase(Enum):
    """The part of a try: it tells a statement or a transaction of the revision from our own."""

    OPENING = auto()
    RUNNING = auto()
    """The revision's own function runs."""
    RECORDING = auto()
    """The function has ended: the version row, and env.py's callbacks, are left."""
    ENDING = auto()
    """The loop commits or rolls back."""


class RevisionTransaction:
    """Follows one session's transactions while revisions run, one after the other."""

    def __init__(self, session: MigrationSession) -> None:
        self.session = session
        self._unit: Any = None
        """The transaction that env.py has opened for all steps."""
        self._id: str | None = None
        """The id of the last transaction; None outside of any, as in an autocommit block."""
        self.is_unit_over = False
        """Whether a revision has ended the transaction that env.py had opened for all of them."""
        self._reset()

    def adopt_unit(self) -> None:
        """Note the transaction that env.py has opened for all steps, if it has."""
        if self.session.is_one_unit:
            self._unit = self.session.connection.get_transaction()

    def _reset(self) -> None:
        self.phase = Phase.OPENING
        self._begun = 0
        """The number of transactions that the revision has begun."""
        self.is_bare = False
        """Whether the statement that came last is a transaction of its own."""
        self._has_left = False
        self._was_rolled_back = False
        self._to_commit_below = False
        self._to_commit = False
        self._has_said_control = False
        """Whether the revision has executed BEGIN, COMMIT, SAVEPOINT or the like."""
        self.is_deferred = False
        """Whether the check that the revision is in its transaction is still to come."""

    def start(self) -> None:
        """Begin a try of a revision, and forget the transactions of the one before."""
        self._reset()
        if self.is_unit_over:
            self.session.tell("BEGIN")

    @property
    def is_over(self) -> bool:
        """True if the revision's own function has ended: only the version row is left."""
        return self.phase in (Phase.RECORDING, Phase.ENDING)

    @property
    def is_first(self) -> bool:
        """True in the transaction that the revision began in: its rollback undoes the revision."""
        is_own = not self.session.is_one_unit and not self.session.is_autocommit
        return is_own and self._begun == 1 and not self._has_left

    def began(self) -> tuple[str, ...]:
        """Note a transaction that has just begun; return SQL columns to query in it."""
        self._begun += 1
        self._id = None
        # A transaction id is never used twice, and no setting changes its text.
        return () if self.session.is_autocommit else ("txid_current()::text",)

    def told(self, answers: tuple[Any, ...]) -> None:
        """Take the values of these columns; more values may follow."""
        if not self.session.is_autocommit:
            self._id = answers[0]

    def rolled_back(self) -> None:
        """Note that SQLAlchemy has rolled the transaction back."""
        self._was_rolled_back |= self.phase is not Phase.ENDING

    def executing(self, statement: str) -> None:
        """Note a statement that comes next."""
        self.is_bare = self.session.is_bare
        if self.is_bare:
            self._has_left = True
        else:
            self._has_said_control |= begins_with_control(statement) or commits(statement)

    def is_intact(self, ask: Ask) -> bool:
        """Return whether a rollback undoes all that the revision did."""
        if not self.is_first or self._was_rolled_back:
            return False
        try:
            return not self.was_committed(ask)
        except psycopg2.Error:  # no session can tell
            return False

    @property
    def condition(self) -> str:
        """SQL that is true in the transaction that the revision began in."""
        return f"txid_current_if_assigned()::text = '{self._id}'"

    def confirm(self) -> None:
        """Warn if the revision is in another transaction than it began in, below SQLAlchemy.

        Raises TransactionLeftError if the transaction that it began in was rolled back.
        """
        self.is_deferred = False
        if self.session.ask(_STATUS.format(self._id))[0] == "aborted":
            raise _undone()
        self.warn()

    def rejoin(self, *, may_defer: bool = False) -> None:
        """Have a transaction in which the version moves, also if the revision has left its own.

        With `may_defer` there is no query if nothing that was seen ends the transaction: a round
        trip takes as long as a small revision. Raises TransactionLeftError if nothing is left to
        record as applied.
        """
        session = self.session
        expected = self._unit if session.is_one_unit else alembic_transaction(session.context)
        has_replaced = session.connection.get_transaction() is not expected
        if self._was_rolled_back:
            raise _undone()
        is_seen_inside = self.is_first and not session.is_bare and not self._has_said_control
        if may_defer and is_seen_inside and not has_replaced:
            self.is_deferred = True
            return
        if has_replaced and session.is_one_unit:
            if session.has_begin_block:
                raise TransactionLeftError(
                    "it committed the transaction that env.py opened for all revisions"
                )
            session.leave_unit()
        if has_replaced and not session.connection.in_transaction():
            session.connection.begin()
        self._to_commit = has_replaced
        self._to_commit_below = session.is_autocommit or not self._is_inside()
        if (has_replaced or self._to_commit_below) and not session.is_autocommit:
            self.warn()
        if self._to_commit_below:
            if self._id and session.ask(_STATUS.format(self._id))[0] == "aborted":
                raise _undone()
            session.tell("BEGIN")
        # From here on each revision has a transaction of its own.
        self._to_commit_below |= self.is_unit_over
        self.is_unit_over = session.is_one_unit and self._to_commit_below

    def commit(self) -> None:
        """Commit a transaction that `rejoin` has begun; Alembic commits all others."""
        if self._to_commit_below:
            self.session.tell(COMMIT)
        if self._to_commit:
            self.session.connection.commit()

    def was_committed(self, ask: Ask) -> bool:
        """Return whether the revision that has failed had committed something itself."""
        return self._id is not None and ask(_STATUS.format(self._id)) == "committed"

    def warn(self) -> None:
        """Log that a revision has ended its transaction, and the consequence."""
        _log.warning(
            "A revision ended its transaction itself: if it fails, its earlier statements "
            "stay committed. Use op.get_context().autocommit_block()"
        )

    def _is_inside(self) -> bool:
        [now] = self.session.ask("SELECT txid_current_if_assigned()::text")
        return bool(now == self._id)


_STATUS = "SELECT txid_status({})"


def _undone() -> TransactionLeftError:
    return TransactionLeftError("it rolled back its own transaction")
