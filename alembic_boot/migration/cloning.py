"""A migrated database that is cloned, for the tests of one run."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import psycopg2
from psycopg2 import sql

from alembic_boot.adoption.creation import create_like
from alembic_boot.adoption.leftover_databases import drop, in_use, new_name, remove_leftovers
from alembic_boot.description import BootDescription
from alembic_boot.errors import BootError, LockTimeoutError
from alembic_boot.migration.filling import fill
from alembic_boot.output.masking import mask
from alembic_boot.polling import poll
from alembic_boot.postgres.advisory import AdvisoryKey, begin, try_lock
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.waiting import wait

_log = logging.getLogger(__name__)

_INTERVAL = 0.05

# A pool of env.py may keep a connection, and a database with one can neither be cloned nor renamed.
_CLOSE = """
ALTER DATABASE {database} ALLOW_CONNECTIONS false;
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = {name} AND pid <> pg_backend_pid();
ALTER DATABASE {database} RENAME TO {template}
"""


@dataclass(frozen=True)
class Template:
    """A database that accepts no connections, and is cloned."""

    real: DatabaseUrl
    name: str

    @contextmanager
    def clone(self) -> Iterator[str]:
        """Yield the URL of a clone for SQLAlchemy, with its driver; drop the clone afterwards."""
        name = new_name(self.real)
        with in_use(self.real, name):
            try:
                yield create_like(self.real, name, template=self.name).sqlalchemy_url
            finally:
                _complete(partial(drop, self.real, name))


@contextmanager
def template(boot: BootDescription, run: str) -> Iterator[Template]:
    """Yield a migrated database beside the one of the description, which is only read.

    The processes of one run share it: the first makes it, and the last drops it. Raises BootError.
    """
    real = boot.migration_database_url
    name = new_name(real, run, str(boot.alembic_config.file), boot.alembic_config.name)
    wait(boot)
    remove_leftovers(real)
    try:
        with in_use(real, name, is_shared=True):
            _make_once(boot, name)
            yield Template(real, name)
    finally:
        _complete(partial(_drop_as_last, real, name))


def _drop_as_last(real: DatabaseUrl, name: str) -> None:
    """Drop the template if no other process has it; if that fails, the next run does it."""
    try:
        with in_use(real, name) as is_last:
            if is_last:
                drop(real, name)
    except (BootError, psycopg2.Error) as error:
        _log.warning("The template database %s could not be removed: %s", name, mask(str(error)))


def _complete(removal: Callable[[], object]) -> None:
    """Remove something; a Ctrl-C in the middle, which ends a run of tests, begins it again."""
    try:
        removal()
    except KeyboardInterrupt:
        removal()
        raise


def _make_once(boot: BootDescription, name: str) -> None:
    """Make the template, unless another process of the run has made it."""
    with connected(boot.migration_database_url) as connection:
        begin(connection)
        key, timeout = AdvisoryKey.named("template", name), boot.schema.lock_timeout
        if not poll(lambda: try_lock(connection, key), timeout, _INTERVAL):
            raise LockTimeoutError(
                f"Another process has been making the template database for more than {timeout:g} "
                "s.",
                "See what it is doing.",
            )
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                _make(boot, name)


def _make(boot: BootDescription, name: str) -> None:
    """Make the template under another name, which it has until it is whole."""
    real = boot.migration_database_url
    unfinished = new_name(real)
    with in_use(real, unfinished):
        try:
            url = create_like(real, unfinished)
            fill(boot, url)
            names = {"database": unfinished, "template": name}
            with connected(real) as connection, connection.cursor() as cursor:
                for statement in _CLOSE.split(";"):
                    quoted = {key: sql.Identifier(it) for key, it in names.items()}
                    cursor.execute(
                        sql.SQL(statement).format(**quoted, name=sql.Literal(unfinished))
                    )
        except BaseException:
            _complete(partial(drop, real, unfinished))
            raise
