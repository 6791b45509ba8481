"""Advisory locks: free the moment their session ends, and seen by every session of the database."""

import hashlib
import secrets
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from alembic_boot.postgres.timeouts import LIFT_IN_TRANSACTION

# A bigint key stands there in two halves. Keys belong to a database, and pg_locks shows all of
# the server's, so the database is asked for as well. Everybody may read this view.
_HOLDER = """
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND granted
  AND classid::bigint = {high} AND objid::bigint = {low}
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True)
class AdvisoryKey:
    """A key of PostgreSQL's 64 bits, signed."""

    number: int

    @classmethod
    def named(cls, *names: str) -> "AdvisoryKey":
        """Return the key that stands for these names, the same in every process."""
        digest = hashlib.blake2b("\0".join(names).encode(), digest_size=8).digest()
        return cls(int.from_bytes(digest, signed=True))

    @classmethod
    def random(cls) -> "AdvisoryKey":
        """Return a key that nobody else has."""
        return cls(int.from_bytes(secrets.token_bytes(8), signed=True))

    @property
    def holder_query(self) -> str:
        """SQL, free of parameters: the backend that holds the lock in the asking database."""
        return _HOLDER.format(high=self.number >> 32 & 0xFFFFFFFF, low=self.number & 0xFFFFFFFF)

    @property
    def is_held_query(self) -> str:
        """SQL, free of parameters: whether anybody holds the lock in the asking database."""
        return f"SELECT EXISTS ({self.holder_query})"


def begin(connection: Connection) -> None:
    """Begin a transaction that may stay open for as long as its locks are needed.

    READ COMMITTED holds no snapshot between statements, so it keeps neither VACUUM nor
    CREATE INDEX CONCURRENTLY waiting. Locks of a transaction, unlike those of a session, work
    through a pooler that lends connections by the transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        cursor.execute(LIFT_IN_TRANSACTION)  # a lock must outlive what a role or a database has


def try_lock(connection: Connection, key: AdvisoryKey) -> bool:
    """Take the lock until the transaction ends, unless somebody else has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (key.number,))
        return cursor.fetchone() == (True,)


def end(connection: Connection) -> None:
    """End the transaction, and with it its locks."""
    with connection.cursor() as cursor:
        cursor.execute("ROLLBACK")
