"""Check from the migration's own session that the lock on the schema is still held."""

from typing import Any

from alembic_boot.environment.session import MigrationSession
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.postgres.interruption import SET_CLIENT_CHECK
from alembic_boot.postgres.timeouts import LIFT_IN_TRANSACTION
from alembic_boot.running.lock import lock_lost
from alembic_boot.running.worker import Worker

# Timeouts of the role, or of another client of the pooler's session, are not meant for migrations.
# In a direct session they are lifted once.
_LIFT = f"({LIFT_IN_TRANSACTION})"


class LockCheck:
    """Checks the lock, and takes the session's own key for the duration of its transaction.

    `token` is a key that is held as long as the lock. `can_check_client` says that the server can
    notice a lost client while a statement runs.
    """

    def __init__(
        self, session: MigrationSession, token: AdvisoryKey, *, can_check_client: bool
    ) -> None:
        """Give the session a key of its own, so that other sessions can identify it."""
        self._session = session
        self._can_check_client = can_check_client
        self.worker = Worker(*session.backend(), AdvisoryKey.random())
        if session.is_direct:
            # The session holds it until it ends. Through a pooler the lock would stay with a
            # foreign server process.
            session.ask(f"SELECT pg_advisory_lock({self.worker.key.number})")
        # Only the lock's session has the token. If it is free, this transaction gets it, and ends.
        # pg_locks would tell the same, but it collects every lock of the server for that.
        self._is_held = f"NOT pg_try_advisory_xact_lock({token.number})"
        self._holds_key = f"pg_try_advisory_xact_lock({self.worker.key.number})"

    @property
    def condition(self) -> str:
        """The check as an SQL condition without parameters."""
        return f"{self._is_held} AND {self._holds_key}"

    def require(self, *columns: str, before: tuple[str, ...] = ()) -> tuple[Any, ...]:
        """Check the lock, and return the values of more SQL columns.

        One query answers all, because a round trip takes as long as a small revision. The
        statements of `before` run first. Raises LockLostError if the lock is lost.
        """
        own = self._columns()
        found = self._session.ask(f"SELECT {', '.join((*own, *columns))}", before)
        if not found[0]:
            raise lock_lost()
        return tuple(found[len(own) :])

    def tell(self, statement: str) -> int:
        """Run a statement of boot's own that is its own transaction; raises as above."""
        self.require()
        return self._session.tell(statement)

    def _columns(self) -> list[str]:
        columns = [self._is_held, self._holds_key]
        is_local = not (self._session.is_autocommit or self._session.has_left_transaction)
        if is_local and not self._session.is_direct:
            columns.append(_LIFT)
        # Behind a pooler, a setting made outside of a transaction would reach other clients.
        if self._can_check_client and (is_local or self._session.is_direct):
            columns.append(SET_CLIENT_CHECK.format(is_local=str(is_local).lower()))
        return columns
