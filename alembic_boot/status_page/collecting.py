"""Collect what the status page shows: from the files, the database and the notes of the boot.

Nothing raises here for a database that is away: what could not be read is None, and `problems` says
why. Every part has a bound of its own: time, rows and lengths.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Any, TypeVar

import psycopg2
from psycopg2.extensions import PYDATETIMETZ, new_type, register_type
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from alembic_boot.description import BootDescription
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import BootError
from alembic_boot.history.history import History
from alembic_boot.postgres.connection import connect, named, one_line
from alembic_boot.running.lock import died
from alembic_boot.situation import situation
from alembic_boot.state.facts import located, read_current
from alembic_boot.state.journal import Journal
from alembic_boot.state.tables import Extent, counted_tables
from alembic_boot.status_page.bounds import bounded
from alembic_boot.status_page.catalogue import MOST_TABLES, read_tables
from alembic_boot.status_page.history_files import HistoryFiles
from alembic_boot.status_page.judgement import Judgement, judge
from alembic_boot.status_page.progress import outline
from alembic_boot.status_page.report import (
    Condition,
    Link,
    Report,
    Revision,
    RevisionDetail,
    Table,
)
from alembic_boot.status_page.revisions import MOST_REVISIONS, pending, revisions_of
from alembic_boot.status_page.runs import read_page, read_runs
from alembic_boot.status_page.sessions import read_sessions

T = TypeVar("T")

_TIMESTAMPTZ = 1184
"""Its number in pg_type."""


def _time(text: str | bytes | None, cursor: Cursor) -> datetime | None:
    """Return a point in time; None for one that Python cannot hold, in each time zone."""
    try:
        found: datetime | None = PYDATETIMETZ(text, cursor)
    except (ValueError, OverflowError):
        return None
    return found if found is None or MINYEAR < found.year < MAXYEAR else None


_TIMES = new_type((_TIMESTAMPTZ,), "TIMESTAMPTZ", _time)

Key = int | str
"""A page of the journal, with all the rest; or the id of a revision."""

Found = Report | RevisionDetail | None

Facts = Mapping[str, Any]
"""What the boot has handed over to the application, as `serving/handover.py` has it."""

Readiness = tuple[bool, str | None]
"""Whether requests can be answered, and why not, or why not all of them."""

_CONNECT, _SILENCE = 2.0, 3.0
"""Seconds that a login, and the answer to a statement, may take."""

_TIMEOUT = 1000
"""Milliseconds that a statement may take."""

# A lock is not worth waiting for: the next report is a second away.
_BEGIN = f"""
BEGIN READ ONLY;
SET LOCAL statement_timeout = {_TIMEOUT};
SET LOCAL lock_timeout = 300
"""

_LONGEST_SOURCE = 200_000
"""Characters of a file that are shown."""

_MOST_DIFFERENCES = 50


@dataclass(frozen=True)
class Sources:
    """What a process knows besides its files and its database."""

    facts: Callable[[], Facts] = dict
    """Gives what the boot has handed over."""
    by_alembic: Callable[[], History] | None = None
    """Reads a history that only Alembic can read; None if this is not the moment."""
    readiness: Callable[[], Readiness] | None = None
    """Gives what a probe says now."""
    sql: Callable[[str, str | None], str | None] | None = None
    """Gives the SQL of a revision, whose file has that hash."""


class Collecting:
    """Reads one project and its database. Not thread-safe."""

    def __init__(
        self,
        boot: BootDescription,
        service: str,
        sources: Sources = Sources(),
        links: tuple[Link, ...] = (),
    ) -> None:
        self._boot = boot
        self._links = links
        self._service = service
        self._sources = sources
        self._files = HistoryFiles(boot.alembic_config, sources.by_alembic)
        self._revisions: tuple[Revision, ...] = ()
        """Those of the last look at the database."""
        self._history: History | None = None
        """That of the last look, if there was one."""

    def __call__(self, keys: Collection[Key]) -> dict[Key, Found]:
        """Return what is asked for, over one connection."""
        sources = self._sources
        look = _Look(self._boot, sources.facts(), self._files)
        look.read_history()
        name = named("status page", self._boot.app_version)
        try:
            with closing(connect(self._boot.database_url, _CONNECT, _SILENCE, name)) as connection:
                register_type(_TIMES, connection)
                look.read_database(connection, keys)
        except psycopg2.Error as error:
            look.problems.append(f"The database does not answer: {one_line(error)}.")
        self._revisions = look.revisions or self._revisions
        self._history = look.history or self._history
        base = outline(self._service, self._boot.app_version, situation(), look.facts)
        report = replace(look.report(base), links=self._links)
        if report.condition is Condition.READY and sources.readiness is not None:
            report = _less_ready(report, *sources.readiness())
        report = bounded(report)
        return {
            key: replace(report, journal=bounded(look.pages.get(key)))
            if isinstance(key, int)
            else bounded(self._detail(key, look), _LONGEST_SOURCE)
            for key in keys
        }

    def knows(self, id_: str) -> bool:
        """Return whether there may be a revision of that id, by the last look; from any thread."""
        if (history := self._history) is None:
            return True
        return id_ in history.revisions or any(it.id == id_ for it in self._revisions)

    def _detail(self, id_: str, look: "_Look") -> RevisionDetail | None:
        """Return a revision by its id; None if there is none, in the history or the database."""
        known = look.history.revisions.get(id_) if look.history else None
        found = next((it for it in self._revisions if it.id == id_), None)
        if known is None:
            runs = look.runs.get(id_, ())
            return RevisionDetail(found, None, None, None, runs) if found else None
        source = look.tried(f"The file of {id_}", known.source)
        return RevisionDetail(
            revision=found or pending(known),
            path=known.path.name if known.path else None,
            source=None if source is None else source.decode(errors="replace"),
            sql=sql(id_, known.file_sha256) if (sql := self._sources.sql) else None,
            runs=look.runs.get(id_, ()),
        )


class _Look:
    """One look at the files and the database."""

    def __init__(self, boot: BootDescription, facts: Facts, files: HistoryFiles) -> None:
        self._boot = boot
        self.facts = facts
        self._files = files
        self.problems: list[str] = []
        self.history: History | None = None
        self.current: tuple[str, ...] = ()
        self.judgement: Judgement | None = None
        self.revisions: tuple[Revision, ...] | None = None
        self.tables: tuple[Table, ...] | None = None
        self.sessions: Any = None
        self.pages: dict[Key, Any] = {}
        self.runs: dict[Key, Any] = {}

    def tried(self, what: str, read: Callable[[], T]) -> T | None:
        """Return what is read; None with a problem if that fails."""
        try:
            return read()
        except psycopg2.Error as error:
            why = one_line(error)
        except OSError as error:
            why = error.strerror or str(error)
        except BootError as error:
            why = str(error).rstrip(".")
        self.problems.append(f"{what} cannot be read: {why}.")
        return None

    def read_history(self) -> None:
        """Read the files."""
        self.history = self.tried("The history", self._files.read)
        if self.history is None and not self.problems:
            self.problems.append(
                "The revisions are not shown here: only Alembic can read this history."
            )

    def read_database(self, connection: Connection, keys: Collection[Key]) -> None:
        """Read all parts; each is there even if another fails."""
        table = VersionTable(*self.facts.get("version_table") or ())
        found = self.tried("The version table", lambda: located(connection, table)) or table
        extent = Extent(choose=self._files.schemas)
        journal = Journal(found)
        with _asking(connection):
            self.current = self.tried("The version", lambda: read_current(connection, found)) or ()
        if (history := self.history) is not None:
            policy = self._boot.schema
            self.judgement = self.tried(
                "The state", lambda: judge(connection, found, history, policy, extent)
            )
        with _asking(connection):
            self.tried("The last attempts", lambda: self._read_revisions(connection, journal))
        with _asking(connection):
            self.tried("The journal", lambda: self._read_journal(connection, journal, keys))
        with _asking(connection):
            self.tried("The schema", lambda: self._read_tables(connection, found, extent))
        with _asking(connection):
            self.sessions = self.tried("The sessions", lambda: read_sessions(connection))

    @property
    def _refusal(self) -> BootError | None:
        """Why the journal cannot be trusted; None if it can."""
        return self.judgement.journal_refusal if self.judgement is not None else None

    def _read_revisions(self, connection: Connection, journal: Journal) -> None:
        if self._refusal is not None:
            if self.history is not None and self.judgement is not None:
                self.revisions = revisions_of(self.history, self.judgement.inspection, (), ())
            return
        dead = died(connection, journal)
        running = {it.revision for it in journal.running(connection) if it not in dead}
        unfinished = {it.revision for it in journal.unfinished(connection)}
        failed = unfinished.union(it.revision for it in dead)
        if self.history is not None and self.judgement is not None:
            inspection = self.judgement.inspection
            self.revisions = revisions_of(self.history, inspection, running, failed)
            if (number := len(self.history.revisions)) > MOST_REVISIONS:
                self.problems.append(f"{MOST_REVISIONS} of {number} revisions are shown.")

    def _read_journal(
        self, connection: Connection, journal: Journal, keys: Collection[Key]
    ) -> None:
        if self._refusal is not None:
            raise self._refusal
        dead = died(connection, journal)
        for key in keys:
            if isinstance(key, int):
                self.pages[key] = read_page(connection, journal, self.history, dead, key)
            else:
                self.runs[key] = read_runs(connection, journal, self.history, dead, key)

    def _read_tables(self, connection: Connection, table: VersionTable, extent: Extent) -> None:
        counted = counted_tables(connection, table, extent)
        self.tables = read_tables(connection, counted, self.facts.get("differing", ()))
        if len(counted) > MOST_TABLES:
            self.problems.append(f"{MOST_TABLES} of {len(counted)} tables are shown.")

    def report(self, base: Report) -> Report:
        """Return the report, without the journal's page."""
        differences = tuple(self.facts.get("all_differences", ()))[:_MOST_DIFFERENCES]
        report = replace(
            base,
            current=self.current,
            revisions=self.revisions,
            tables=self.tables,
            differences=differences,
            sessions=self.sessions,
            problems=tuple(self.problems),
        )
        judgement = self.judgement
        if judgement is None:
            problem = next(iter(self.problems), None)
            if base.condition is Condition.BOOTING or problem is None:
                return replace(report, reason=report.reason or problem)
            # What the boot has met may be over; this is so now.
            return replace(report, reason=problem, command=None)
        report = replace(
            report,
            state=judgement.inspection.state.value,
            target=judgement.inspection.target.name,
        )
        if base.condition is Condition.BOOTING:
            return report
        condition, reason, command = judgement.verdict(self.facts)
        return replace(report, condition=condition, reason=reason, command=command)


def _less_ready(report: Report, is_ready: bool, reason: str | None) -> Report:
    """Return a report in which requests may fail although the schema fits."""
    if not is_ready:
        return replace(report, condition=Condition.UNAVAILABLE, reason=reason)
    condition = Condition.READY if reason is None else Condition.DEGRADED
    return replace(report, condition=condition, reason=reason or report.reason)


@contextmanager
def _asking(connection: Connection) -> Iterator[None]:
    """Read in one short transaction, which changes nothing and waits for nothing."""
    cursor = connection.cursor()
    cursor.execute(_BEGIN)
    try:
        yield
    finally:
        if not connection.closed:
            cursor.execute("ROLLBACK")
