"""Run the whole history once on a scratch database, and read the schema after each revision."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from alembic.runtime.migration import MigrationContext
from psycopg2.extensions import connection as Connection

from alembic_boot.adoption.comparison import Catalogue
from alembic_boot.adoption.confinement import Caller, confined, refuse_by_files
from alembic_boot.adoption.reading import read_catalogue
from alembic_boot.adoption.schema_matching import Revisions
from alembic_boot.adoption.schema_selection import Reader, read_made
from alembic_boot.adoption.scratch import make_room
from alembic_boot.adoption.table_queries import STANDING_FOR
from alembic_boot.description import SchemaPolicy
from alembic_boot.environment.failures import no_connection
from alembic_boot.environment.location import expect_database
from alembic_boot.environment.project import Project
from alembic_boot.environment.session import MigrationSession
from alembic_boot.errors import BootError, MigrationFailedError
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.identity import same_database_query
from alembic_boot.postgres.timeouts import lift
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.running.guard import Guard
from alembic_boot.running.loop import Loop
from alembic_boot.running.steps import AlembicStep, Rows, Step
from alembic_boot.state.facts import read_current
from alembic_boot.state.schema import Schema, open_schema

Choice = Callable[["Replay", Revisions], bool]
"""Return whether to read the current point of a replay in full; Alembic records these revisions."""


class Replay:
    """The points of a history, as a replay on a scratch database makes them."""

    def __init__(
        self,
        url: DatabaseUrl,
        project: Project,
        *,
        caller: Caller = Caller(),  # noqa: B008 (it is frozen)
        is_chosen: Choice = lambda _replay, _revisions: True,
    ) -> None:
        """Replay a project at the URL; `is_chosen` decides which points are read in full."""
        self.url = url
        self.history = project.history
        self._project = project
        self._caller = caller
        self._is_chosen = is_chosen
        self._reader: Connection
        self._schema: Schema
        self._is_scratch: str
        self._running: str | None = None
        self._done = 0
        self.points: dict[Revisions, Catalogue] = {}
        """The chosen points, oldest first."""
        self.other_schemas: frozenset[str] = frozenset()
        """Schemas outside of the search_path in which the history has created objects."""

    def __str__(self) -> str:
        at = "" if self._running is None else f", at {self._running}"
        return f"{self._done} of {len(self.history.revisions)} revisions{at}"

    def run(self) -> None:
        """Upgrade through the history, and add a point for each chosen revision, in order.

        Raises MigrationFailedError if a revision fails, and ConfigurationError if a revision leaves
        the scratch database.
        """
        # One connection reads all catalogues: a new one each time would start with cold caches.
        with connected(self.url) as self._reader:
            lift(self._reader)  # it is idle while a revision runs
            self._is_scratch = same_database_query(self._reader)
            self._reader.cursor().execute(STANDING_FOR, (self._caller.role,))
            with confined(
                self._is_scratch,
                self._what,
                is_elsewhere=self._caller.is_elsewhere,
                unseen=refuse_by_files(self.history, self._caller),
            ):
                self._replay()

    def _replay(self) -> None:
        self._schema = open_schema(self.url, self._project, SchemaPolicy("heads"))
        make_room(self._schema)  # the real one may have it
        while self._done < len(self.history.revisions):
            before = self._done
            self._project.run(self._work, self._failed, expect_database(self._is_scratch))
            if self._running is not None:  # env.py's own open transaction has ended now
                self._take(self._running)
            if self._done == before:
                raise MigrationFailedError(
                    "Alembic's env.py reported success and committed nothing.",
                    "Let it commit what it runs.",
                )

    def _failed(self, error: BaseException) -> BootError:
        return no_connection(error) or MigrationFailedError(
            f"{self._what()} failed: {self._project.describe(error)}.", "Fix it and start again."
        )

    def _work(self, context: MigrationContext, arguments: dict[str, Any]) -> None:
        session = MigrationSession(context)

        def steps(current: Rows) -> list[AlembicStep]:
            found = self._project.steps(self._schema.target, current, going_up=True)
            # Other sessions see a revision when env.py's own transaction has ended. So env.py runs
            # once for each revision then.
            return [*map(AlembicStep, found[:1] if session.is_one_unit else found)]

        Loop(Guard(session)).run(steps, arguments, self._reporting)

    @contextmanager
    def _reporting(self, step: Step) -> Iterator[None]:
        """Read the point of a step when it is committed."""
        [(self._running, _)] = step.moves
        yield
        self._take(self._running)

    def _take(self, revision: str) -> None:
        """Add the point of a revision if the revision is committed and the point is chosen."""
        current = read_current(self._reader, self._schema.version_table)
        if revision not in self.history.closure(current):
            return
        if self._is_chosen(self, current):
            before = next(reversed(self.points.values()), {})
            # Unchanged parts are stored only once: histories are long.
            self.points[current] = {
                key: known if (known := before.get(key)) == properties else properties
                for key, properties in self.read(read_catalogue).items()
            }
        self._done += 1
        self._running = None

    def read(self, reader: Reader) -> Catalogue:
        """Return what is in the scratch database now, read from another session."""
        catalogue, others = read_made(
            self._reader, self._schema.version_table, self._schema.location.path, reader
        )
        # The same schemas for all points in the end: a point without one of them has no objects in
        # it.
        self.other_schemas |= others
        return catalogue

    def _what(self) -> str:
        """Return the running revision or file, as the beginning of a sentence."""
        running = self._running
        return f"Migration {self.history.label(running)}" if running else "Alembic's env.py"
