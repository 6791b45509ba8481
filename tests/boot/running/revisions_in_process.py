"""Revisions as plain functions, run by the loop in this process: no files, no env.py."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script.revision import RevisionMap
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from alembic_boot.environment.session import MigrationSession
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.history.history import History
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.urls import DatabaseUrl, parse_database_url
from alembic_boot.running.guard import Guard
from alembic_boot.running.lock import SchemaLock
from alembic_boot.running.locked_run import LockedRun
from alembic_boot.running.loop import Loop
from alembic_boot.running.recorder import Recorder, recording
from alembic_boot.running.steps import Moves, Recording, Rows
from alembic_boot.running.takeover import exclusively
from alembic_boot.state.journal import Direction, Journal

JOURNAL = Journal(VersionTable("alembic_version", "public"))

Upgrade = Callable[[Operations], object]


@dataclass(frozen=True)
class Fake(Recording):
    """A step that runs a function, and leaves one row in the version table."""

    upgrade: Upgrade = lambda _op: None
    operations: list[Operations] = field(default_factory=list)

    @property
    def moves(self) -> Moves:
        return tuple((it, Direction.UPGRADE) for it in self.revisions)

    def run(self, **_arguments: Any) -> None:
        self.upgrade(self.operations[0])

    def replacement(self, _context: MigrationContext, rows: Rows) -> tuple[str, str] | None:
        return (rows[0], self.revisions[0]) if rows else None


def sql(*statements: str) -> Upgrade:
    """Return a revision that executes statements."""

    def upgrade(op: Operations) -> None:
        for statement in statements:
            op.execute(statement)

    return upgrade


@dataclass
class Place:
    """A database with the loop on it."""

    url: DatabaseUrl
    driver: str = "psycopg2"
    lock: SchemaLock | None = None
    recorder: Recorder | None = None
    before_configuring: Sequence[str] = ()
    goes_to: "Place | None" = None
    """Where env.py connects to, if that is not here."""
    on_version_apply: Callable[..., None] | None = None
    """A callback of env.py."""
    times: int = 1
    """How often env.py calls `run_migrations`; it catches all errors but the last one."""
    budget: float = 5.0
    """Seconds that live traffic may block a run."""

    def run(self, **revisions: Upgrade) -> None:
        """Run revisions under the lock, with the journal, in the order of the arguments."""
        with (
            exclusively(self.url, JOURNAL, 5) as self.lock,
            recording(self.url, JOURNAL, History({}), "test") as self.recorder,
        ):
            lock, recorder = self.lock, self.recorder
            for left in reversed(range(self.times)):
                caught = suppress(DBAPIError) if left else nullcontext()
                with caught, (self.goes_to or self)._configured() as context:
                    session = MigrationSession(context)
                    loop = Loop(LockedRun(session, lock, recorder, self.budget))
                    loop.run(partial(steps, context, revisions), {})

    def run_on_scratch(self, **revisions: Upgrade) -> None:
        """Run revisions as on a scratch database: without lock and journal."""
        with self._configured() as context:
            loop = Loop(Guard(MigrationSession(context)))
            loop.run(partial(steps, context, revisions), {})

    @contextmanager
    def _configured(self) -> Iterator[MigrationContext]:
        engine = create_engine(self.url.for_driver(self.driver), poolclass=NullPool)
        with engine.connect() as connection:
            for statement in self.before_configuring:
                connection.execute(text(statement))
            options = {"transaction_per_migration": True}
            context = MigrationContext.configure(connection, opts=options)
            if self.on_version_apply is not None:
                context.on_version_apply_callbacks = (self.on_version_apply,)
            with Operations.context(context):
                yield context
            commit_what_is_left(connection)

    def ask(self, query: str) -> Any:
        """Return the one value of a query, over a connection of its own."""
        with connected(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            [value] = cursor.fetchone() or [None]
        return value

    def tell(self, *statements: str) -> None:
        """Execute statements over a connection of their own."""
        with connected(self.url) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    @property
    def tables(self) -> list[str]:
        """The tables that revisions have made."""
        found = self.ask(
            "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class c"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND relname NOT IN ('alembic_version', 'schema_journal')"
        )
        return found or []

    @property
    def version(self) -> str | None:
        """The row of the version table."""
        version: str | None = self.ask("SELECT min(version_num) FROM alembic_version")
        return version

    @property
    def journal(self) -> list[str]:
        """Revision and status of each row."""
        found = self.ask(
            "SELECT array_agg(revision || ' ' || status ORDER BY id) FROM schema_journal"
        )
        return found or []


def place(url: str, **options: Any) -> Place:
    """Return a database by its URL."""
    return Place(parse_database_url(url), **options)


def steps(context: MigrationContext, revisions: dict[str, Upgrade], rows: Rows) -> list[Fake]:
    """Return a step for each revision that is not there yet: they follow one another by name."""
    return [
        Fake(
            (revision,),
            revision_map=RevisionMap(lambda: ()),
            upgrade=upgrade,
            operations=[Operations(context)],
        )
        for revision, upgrade in revisions.items()
        if not rows or revision > rows[0]
    ]


def commit_what_is_left(connection: Connection) -> None:
    """Do what an env.py does that has a transaction of its own."""
    if connection.in_transaction():
        connection.commit()
