"""Advisory locks: released when their session ends, visible to all sessions of the database."""

import hashlib
import secrets
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from alembic_boot.postgres.timeouts import LIFT_IN_TRANSACTION

# pg_locks shows a bigint key in two halves. A key belongs to one database, but the view shows those
# of the whole server, so the query also compares the database. Every role may read this view.
_HOLDER = """
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND granted
  AND classid::bigint = {high} AND objid::bigint = {low}
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True)
class AdvisoryKey:
    """A signed key of 64 bits, as PostgreSQL has it."""

    number: int

    @classmethod
    def named(cls, *names: str) -> "AdvisoryKey":
        """Return the key for these names, the same in every process."""
        digest = hashlib.blake2b("\0".join(names).encode(), digest_size=8).digest()
        return cls(int.from_bytes(digest, signed=True))

    @classmethod
    def random(cls) -> "AdvisoryKey":
        """Return a random key, which no other process has."""
        return cls(int.from_bytes(secrets.token_bytes(8), signed=True))

    @property
    def holder_query(self) -> str:
        """Return SQL, without parameters, for the backend that holds the lock in this database."""
        return _HOLDER.format(high=self.number >> 32 & 0xFFFFFFFF, low=self.number & 0xFFFFFFFF)

    @property
    def is_held_query(self) -> str:
        """Return SQL, without parameters, that tells whether the lock is held in this database."""
        return f"SELECT EXISTS ({self.holder_query})"


def begin(connection: Connection) -> None:
    """Begin a transaction that may stay open for as long as its locks are needed.

    READ COMMITTED holds no snapshot between statements, so neither VACUUM nor CREATE INDEX
    CONCURRENTLY waits for it. Transaction locks, unlike session locks, also work through a pooler
    that lends connections per transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        cursor.execute(LIFT_IN_TRANSACTION)  # the role or the database may have a timeout


def try_lock(connection: Connection, key: AdvisoryKey) -> bool:
    """Take the lock until the transaction ends, unless another session holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (key.number,))
        return cursor.fetchone() == (True,)


def share_lock(connection: Connection, key: AdvisoryKey) -> bool:
    """Take the lock together with others until the transaction ends; wait for it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", (key.number,))
    return True


def end(connection: Connection) -> None:
    """End the transaction, and with it its locks."""
    with connection.cursor() as cursor:
        cursor.execute("ROLLBACK")
