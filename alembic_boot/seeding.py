"""Call the project's seed function on a schema that is ready for it."""

import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pkgutil import resolve_name
from typing import Any

from psycopg2.errors import InsufficientPrivilege

from alembic_boot.commands import as_typed, program, setting
from alembic_boot.description import BootDescription
from alembic_boot.errors import BootError, ConfigurationError, SeedingFailedError
from alembic_boot.output.foreign import describe, is_own_code, missing_package
from alembic_boot.output.log_fields import fields
from alembic_boot.postgres.connection import connected, driver_connection
from alembic_boot.postgres.interruption import SET_CLIENT_CHECK, can_check_client, interrupt
from alembic_boot.postgres.timeouts import LIFT_IN_TRANSACTION
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.seed_calls import async_url, seed_call
from alembic_boot.signals import Stopped, interrupting, raise_if_stopped
from alembic_boot.state.access import Barrier, barriers
from alembic_boot.state.inspection import Inspection

_log = logging.getLogger(__name__)


def seed(boot: BootDescription, inspection: Inspection) -> int | None:
    """Insert absent rows, in one transaction; return their number, or None if it is unknown.

    The callable gets a connection or a session of SQLAlchemy inside that transaction, by the
    annotation of its first parameter, and may be async. It may return the number of inserted rows.
    Raises ConfigurationError if it cannot be found. Raises SeedingFailedError if it
    raises, or if the schema is not at head, which its models describe. A callable that raises
    SeedingFailedError itself gives the whole message. A stop signal ends the running statement.
    """
    if not is_at_head(inspection):
        current = ", ".join(inspection.current) or "base"
        raise SeedingFailedError(
            f"The schema is {inspection.state.words} at {current}, and the seed data is made for "
            f"{', '.join(inspection.heads)}.",
            f"See `{as_typed('status')}`; `{as_typed('migrate')}` brings it there if "
            "anything does.",
        )
    _log.info("Seeding initial data...", extra=fields("seeding"))
    call = seed_call(boot.seed_callable, _resolve(boot.seed_callable))
    hidden: tuple[Barrier, ...] = ()

    def insert_absent(connection: Any, async_connection: Any = None) -> Any:
        nonlocal hidden
        with _seeding(connection, can_check=can_check):
            hidden = _hide_nothing(connection)
            with interrupting(partial(interrupt, connection.connection.driver_connection)):
                found = call.run(connection, async_connection)
            _refuse_unstarted(found)
            raise_if_stopped()
        return found

    try:
        with connected(boot.migration_database_url) as own:
            can_check = can_check_client(own)
        found = (_run_async if call.is_async else _run)(boot.migration_database_url, insert_absent)
    except (Stopped, SeedingFailedError):
        raise_if_stopped()
        raise
    except BaseException as error:
        raise_if_stopped()
        is_hiding = _is_for_row_security(error)
        failure = _hidden(hidden, boot.seed_callable) if is_hiding else None
        raise failure or _failed(boot.seed_callable, error) from error
    inserted = found if isinstance(found, int) else None
    if inserted == 0:
        _log.info("Initial data is complete already", extra=fields("seeded", rows=0))
    else:
        rows = f" ({inserted} rows)" if inserted else ""
        _log.info("Initial data seeded%s", rows, extra=fields("seeded", rows=inserted))
    return inserted


def _refuse_unstarted(returned: object) -> None:
    if inspect.iscoroutine(returned) or inspect.isgenerator(returned):
        returned.close()
        raise TypeError("it returns a coroutine or a generator, so its call runs nothing")


def _run(url: DatabaseUrl, work: Callable[[Any], Any]) -> Any:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    # The seed callable needs no more of the URL than a connection.
    creator = partial(driver_connection, url)
    engine = create_engine("postgresql+psycopg2://", creator=creator, poolclass=NullPool)
    with engine.connect() as connection:
        return work(connection)


def _run_async(url: DatabaseUrl, work: Callable[[Any, Any], Any]) -> Any:
    import asyncio

    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    async def run() -> Any:
        engine = create_async_engine(async_url(url), poolclass=NullPool)
        async with engine.connect() as connection:
            return await connection.run_sync(work, connection)

    return asyncio.run(run())


@contextmanager
def _seeding(connection: Any, *, can_check: bool) -> Iterator[None]:
    """Have a transaction that ends with this process, in every case."""
    with connection.begin():
        if can_check:
            connection.exec_driver_sql(f"SELECT {SET_CLIENT_CHECK.format(is_local='true')}")
        connection.exec_driver_sql(LIFT_IN_TRANSACTION)
        yield


def _hide_nothing(connection: Any) -> tuple[Barrier, ...]:
    """Return row level security that may hide rows from this role, and make such reads fail.

    A hidden row would look absent, and be inserted again.
    """
    found = barriers(lambda query: connection.exec_driver_sql(query).scalar())
    hidden = tuple(barrier for barrier in found if barrier.hides(0))
    if hidden:
        connection.exec_driver_sql("SET LOCAL row_security = off")
    return hidden


def _is_for_row_security(error: BaseException) -> bool:
    """Return whether PostgreSQL refused to read a table whose rows it would have to hide."""
    raised = getattr(error, "orig", None)
    # A missing right has the same SQLSTATE; only the place in the server's source differs.
    return isinstance(raised, InsufficientPrivilege) and raised.diag.source_file == "rls.c"


def _hidden(hidden: Sequence[Barrier], seed_callable: str) -> SeedingFailedError:
    first, *others = hidden
    more = f" and of {len(others)} more tables" if others else ""
    return SeedingFailedError(
        f"Seeding failed: row level security may hide rows of {first.table}{more} from the role "
        f"{first.role}, and a hidden row cannot be told from an absent one.",
        f"{first.advice} Or let {seed_callable} say `SET LOCAL row_security = on`, if "
        f"the policies are meant for it; or {program().without_seed}. Nothing of it was kept.",
    )


def seed_alone(boot: BootDescription) -> None:
    """Seed while no other process changes the schema. Raises BootError."""
    # These import Alembic, and `start` avoids that if it can.
    from alembic_boot.migration.preview import preview
    from alembic_boot.running.takeover import exclusively

    found = preview(boot)
    schema = found.schema
    if schema is None or not is_at_head(found.inspection):
        seed(boot, found.inspection)  # which reports the reason
        return
    with exclusively(schema.url, schema.journal, boot.schema.lock_timeout):
        seed(boot, schema.inspect())


def is_at_head(inspection: Inspection) -> bool:
    """Return whether the database has the revisions of this history, and no others."""
    return inspection.target.revisions == inspection.heads and not (
        inspection.pending or inspection.beyond or inspection.unknown or inspection.replaced
    )


def _failed(name: str, error: BaseException) -> BootError:
    return missing_package(error) or SeedingFailedError(
        f"Seeding failed: {describe(error)}.",
        f"Nothing of it was kept. Fix {name}, or {program().without_seed}.",
    )


def _resolve(name: str) -> Callable[[Any], Any]:
    try:
        found = resolve_name(name)
    except Stopped:
        raise
    except (ImportError, AttributeError, ValueError) as error:
        if is_own_code(error):
            raise _failed(name, error) from error
        raise ConfigurationError(
            f"{setting('SEED')}={name!r} cannot be imported: {error}.",
            f"Write it as module:function, or {program().without_seed}.",
        ) from error
    except BaseException as error:
        raise _failed(name, error) from error
    if not callable(found):
        raise ConfigurationError(
            f"{setting('SEED')}={name!r} is not callable.", "Write it as module:function."
        )
    return found  # type: ignore[no-any-return]
