"""Retry single statements that a rollback of their revision cannot undo.

They run outside of any transaction, or in a later transaction of the revision.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from alembic_boot.environment.session import MigrationSession
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.running import retry_reasons as reasons
from alembic_boot.running.backoff import is_share
from alembic_boot.running.blockers import Blocker, session_query
from alembic_boot.running.budget import Budget
from alembic_boot.running.concurrent_indexes import Indexes
from alembic_boot.running.lock_check import LockCheck
from alembic_boot.running.traffic_watch import TrafficWatch
from alembic_boot.signals import raise_if_stopped
from alembic_boot.sql.statement import is_atomic, is_concurrent, works_on_rows

Limited = Callable[[str, bool], AbstractContextManager[bool]]

_SAVEPOINT = "boot_statement"

_LIMIT = "lock_timeout"

# Leave a limit of env.py or of the revision: then no row is returned.
_SET = f"""
SELECT count(set_config(name, '{{limit}}', false)) FROM pg_settings
WHERE name = '{_LIMIT}' AND source NOT IN ('session', 'client')
"""  # noqa: S608 (a constant)


class OutsideTransaction:
    """Runs such statements in one session, and retries each while live traffic blocks it."""

    def __init__(self, session: MigrationSession, budget: Budget, lock_check: LockCheck) -> None:
        self._session = session
        self._budget = budget
        self._indexes = Indexes(session, lock_check, self._wait)
        self.watch: TrafficWatch
        """The watch over the revision that runs."""

    def run_bare(self, statement: str, execute: Callable[[], object], *, is_again: bool) -> None:
        """Execute a statement that is in no transaction.

        `is_again` says that a try of the revision has failed before. Raises the error of
        PostgreSQL. Raises MigrationFailedError if the budget is used up.
        """
        run = partial(self._indexes.run, statement, execute, is_again=is_again)
        try:
            is_undone = is_atomic(statement)
            while not self._has_run(statement, run, self._limited, is_undone):
                pass
        except Exception:
            self._indexes.warn(statement)
            raise
        self._budget.succeeded(self.watch.label)

    def run_later(self, statement: str, execute: Callable[[], object]) -> None:
        """Execute a statement of a later transaction of its revision; raises as above.

        A rollback to a savepoint releases the statement's own locks. Earlier locks of the
        transaction stay, so the retries end early if these locks block other sessions.
        """
        is_undone = is_atomic(statement, in_transaction=True)
        watch = self.watch
        cost = watch.cost
        while not self._has_run(statement, execute, self._saved, is_undone):
            if watch.is_waited_for and is_share(watch.cost - cost):
                raise reasons.in_the_way(watch.label, watch.blockers)
        self._budget.succeeded(watch.label)

    def _has_run(
        self, statement: str, run: Callable[[], object], limited: Limited, is_undone: bool
    ) -> bool:
        """Return True if the statement has succeeded, and False if it may be retried now.

        `is_undone` says that a failure leaves nothing of the statement.
        """
        started = time.monotonic()
        has_own_limit = False
        try:
            with limited(statement, is_undone) as has_own_limit:
                run()
        except Exception as error:
            raise_if_stopped()
            phrase = reasons.phrase(sqlstate(error), has_cancelled=False)
            if phrase is None:
                raise
            label, blockers = self.watch.label, self.watch.blockers
            if not is_undone:
                raise reasons.halfway(label, phrase, blockers) from error
            if has_own_limit:
                raise
            self._budget.failed(label, phrase, blockers, error, started)
            return False
        return True

    @contextmanager
    def _limited(self, statement: str, is_undone: bool) -> Iterator[bool]:
        """Limit how long a statement waits for a lock; return whether env.py or the revision does
        so.
        """
        # A statement that cannot be tried again waits as long as it may. So does one for which no
        # other session queues.
        is_patient = is_concurrent(statement) or not is_undone or works_on_rows(statement)
        seconds = self._budget.row_limit if is_patient else self._budget.limit
        [is_ours] = self._session.ask(_SET.format(limit=_milliseconds(seconds)))
        try:
            yield not is_ours
        except Exception as error:
            if is_ours and not self._session.is_lost_by(error):
                self._session.tell(f"RESET {_LIMIT}")
            raise
        if is_ours:
            self._session.tell(f"RESET {_LIMIT}")

    @contextmanager
    def _saved(self, _statement: str, is_undone: bool) -> Iterator[bool]:
        """Limit the wait as above, behind a savepoint. What is locked already blocks others, so
        the wait is short unless the statement cannot be tried again.
        """
        tell = self._session.tell
        seconds = self._budget.limit if is_undone else self._budget.row_limit
        tell(f"SAVEPOINT {_SAVEPOINT}")
        try:
            tell(f"SET LOCAL {_LIMIT} = {_milliseconds(seconds)}")
            yield False
        except Exception as error:
            if not self._session.is_lost_by(error):
                tell(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            raise
        tell(f"RELEASE SAVEPOINT {_SAVEPOINT}")
        # The next statement is Alembic's, on its version table, and is not retried.
        tell(f"SET LOCAL {_LIMIT} = {_milliseconds(self._budget.row_limit)}")

    def _wait(self, what: str, builder: int) -> None:
        """Pause while another session builds an index. Raises MigrationFailedError, as above."""
        row = self._session.ask(session_query(builder))
        blockers = (Blocker(*row),) if row else ()
        phrase = reasons.building(what)
        self._budget.failed(self.watch.label, phrase, blockers, None, time.monotonic())


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))  # 0 would be no limit at all
