"""Run a revision, and where live traffic holds it off take it back, wait a little, run it again.

It is the revision as a whole that is run again, in a new transaction. A savepoint would give locks
back as well; but a serialization failure needs a new snapshot, and a transaction that is open
during the pauses keeps every vacuum from its work.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Protocol

from psycopg2.extensions import connection as Connection

from backend.boot.environment.failures import sqlstate
from backend.boot.environment.session import MigrationSession
from backend.boot.environment.version_table import literal
from backend.boot.postgres.advisory import AdvisoryKey
from backend.boot.signals import raise_if_stopped
from backend.boot.traffic import reasons
from backend.boot.traffic.blockers import AnyBlocker
from backend.boot.traffic.limit import LockLimit
from backend.boot.traffic.patience import Patience
from backend.boot.traffic.watch import Lookout, TrafficWatch

# A worker of autovacuum steps aside for whoever has waited as long as `deadlock_timeout`, which is
# longer than any wait here. To ask in this mode keeps neither readers nor writers in the queue.
_MAY_ASK = "SELECT has_table_privilege(to_regclass({table}), 'UPDATE')"
_ASK = "LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE"

Move = Callable[..., None]


class Transaction(Protocol):
    """The transaction that a revision runs in."""

    @property
    def is_first(self) -> bool:
        """Whether it is the one that the revision began in, and can be taken back with."""

    def is_intact(self) -> bool:
        """Whether all that the revision did is in it."""

    def begin_again(self, pause: Callable[[], None]) -> None:
        """Roll it back, pause, and begin another."""


class Yielding:
    """The tries of one run's revisions, each in a transaction of its own.

    `observer` is another session, which is the watch's alone while a revision runs; `own_tables`
    are those, as SQL writes them, that each revision's transaction writes at its end.
    """

    def __init__(
        self,
        session: MigrationSession,
        patience: Patience,
        observer: Connection,
        own_tables: tuple[str, ...],
    ) -> None:
        self._session = session
        self._patience = patience
        self._observer = observer
        self._own_tables = ", ".join(own_tables)
        self._limit = LockLimit(session)
        self.has_own_limit = self._limit.is_own
        """Whether env.py, or the revision that runs, has set one itself."""
        self._lookout = Lookout()
        self._watch: TrafficWatch | None = None
        self._blockers: tuple[AnyBlocker, ...] = ()
        self._vacuumed: str | None = None

    @property
    def watch(self) -> TrafficWatch | None:
        """What watches the revision that runs."""
        return self._watch

    def beginning(self, *, is_first: bool) -> tuple[str, ...]:
        """Return, as columns of SQL, what limits how long statements wait for a lock in the
        transaction that has just begun.

        Not in one that is not its revision's first, and so not to be run again; and where env.py
        or its URL says something about that, it is left as it is.
        """
        if not is_first:
            self.left()
            return ()
        return self._limit.beginning(self._patience.limit, self._patience.row_limit)

    def closing(self) -> tuple[str, ...]:
        """Return, as columns of SQL, what limits it when the revision has run to its end."""
        return self._limit.closing()

    def left(self) -> None:
        """Leave a revision alone that has left its first transaction: it cannot be run again."""
        self._limit.leave()
        if self._watch is not None:
            self._watch.may_cancel = False

    def executing(self, statement: str) -> None:
        """Limit the wait of a revision's next statement; where it sets a limit itself, no more."""
        if "lock_timeout" in statement.lower():
            self.has_own_limit = True
            self.left()
        else:
            self._limit.executing(statement)

    def repeated(
        self,
        move: Move,
        label: str,
        key: AdvisoryKey,
        transaction: Transaction,
    ) -> Move:
        """Return a revision's function that runs it until it is not held off any more.

        `key` is that by which its session can be told. Raises MigrationFailedError where the
        budget is used up.
        """

        @wraps(move)
        def run(**arguments: Any) -> None:
            while not self._has_run(partial(move, **arguments), label, key, transaction):
                transaction.begin_again(self._patience.pause)
            self._patience.succeeded(label)
            self._vacuumed, self._blockers = None, ()

        return run

    def _has_run(self, move: Move, label: str, key: AdvisoryKey, transaction: Transaction) -> bool:
        """Return whether the revision ran to its end, and not that it may be run again."""
        self.has_own_limit = self._limit.is_own
        self._watch = watch = TrafficWatch(self._observer, key, label)
        watch.may_cancel = transaction.is_first and not self._limit.is_own
        try:
            with self._lookout.looking(watch):
                if transaction.is_first:
                    self._ask_vacuum_aside()
                    self._lock_own_tables()
                move()
        except Exception as error:
            raise_if_stopped()
            phrase = reasons.phrase(sqlstate(error), has_cancelled=watch.has_cancelled)
            if phrase is None or not transaction.is_intact():
                raise
            self._blockers = watch.blockers or self._blockers
            self._vacuumed = None if self._limit.is_own else watch.vacuumed
            self._patience.failed(label, phrase, self._blockers, error)
            return False
        finally:
            self._watch = None
        return True

    def _ask_vacuum_aside(self) -> None:
        """Wait for a table that was being vacuumed in the way that ends the vacuum."""
        table, session = self._vacuumed, self._session
        if table is None or not session.ask(_MAY_ASK.format(table=literal(table)))[0]:
            return
        self._limit.outwait_vacuum()
        session.tell(_ASK.format(table=table))
        self._limit.tables()

    def _lock_own_tables(self) -> None:
        """Have first what is needed last, when waiting for it would keep all the rest locked."""
        self._session.tell(f"LOCK TABLE {self._own_tables} IN ROW EXCLUSIVE MODE")
