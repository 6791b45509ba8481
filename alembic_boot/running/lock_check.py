"""The lock on the schema as the migration's own session sees it."""

from typing import Any

from alembic_boot.environment.session import MigrationSession
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.postgres.interruption import SET_CLIENT_CHECK
from alembic_boot.postgres.timeouts import LIFT_IN_TRANSACTION
from alembic_boot.running.lock import lock_lost
from alembic_boot.running.worker import Worker

# What others set in a session that a pooler lends us in turn is not meant for us; nor is what the
# role has. A session of our own has lifted that once.
_LIFT = f"({LIFT_IN_TRANSACTION})"


class LockCheck:
    """Looks at the lock, and has the session hold its own key as long as its transaction.

    `token` is held together with the lock; `can_check_client` says that the server can look after
    its client in mid-statement.
    """

    def __init__(
        self,
        session: MigrationSession,
        token: AdvisoryKey,
        worker: Worker,
        *,
        can_check_client: bool,
    ) -> None:
        self._session = session
        self._can_check_client = can_check_client
        # Only the lock's session has the token. If it is free, this transaction gets it, and ends.
        # pg_locks would tell the same, but it collects every lock of the server for that.
        self._is_held = f"NOT pg_try_advisory_xact_lock({token.number})"
        self._holds_key = f"pg_try_advisory_xact_lock({worker.key.number})"

    @property
    def condition(self) -> str:
        """The look as a condition in SQL, free of parameters."""
        return f"{self._is_held} AND {self._holds_key}"

    def require(self, *columns: str, before: tuple[str, ...] = ()) -> tuple[Any, ...]:
        """Return what else is asked for, as columns of SQL; `before` are statements to run first.

        Each question of its own would take as long as a small revision. Raises LockLostError
        unless the lock is held still.
        """
        own = self._columns()
        found = self._session.ask(f"SELECT {', '.join((*own, *columns))}", before)
        if not found[0]:
            raise lock_lost()
        return tuple(found[len(own) :])

    def _columns(self) -> list[str]:
        columns = [self._is_held, self._holds_key]
        is_local = not (self._session.is_autocommit or self._session.has_left_transaction)
        if is_local and not self._session.is_direct:
            columns.append(_LIFT)
        # What a session sets outside of a transaction, others find behind a pooler.
        if self._can_check_client and (is_local or self._session.is_direct):
            columns.append(SET_CLIENT_CHECK.format(is_local=str(is_local).lower()))
        return columns
