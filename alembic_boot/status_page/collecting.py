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
    bounded,
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
    """The knowledge of a process besides its files and its database."""

    facts: Callable[[], Facts] = dict
    """Gives what the boot has handed over."""
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
        self._files = HistoryFiles(boot)
        self._revisions: tuple[Revision, ...] = ()
        """Those of the last look at the database."""
        self._history: History | None = None
        """That of the last look, if there was one."""

    def __call__(self, keys: Collection[Key]) -> dict[Key, Found]:
        """Return what is asked for, over one connection."""
        release, facts = self._boot.app_version, self._sources.facts()
        look = _Look(self._boot, facts, outline(self._service, release, situation(), facts))
        look.read_history(self._files)
        name = named("status page", release)
        try:
            with closing(connect(self._boot.database_url, _CONNECT, _SILENCE, name)) as connection:
                register_type(_TIMES, connection)
                look.read_database(connection, keys, Extent(choose=self._files.schemas))
        except psycopg2.Error as error:
            look.problems.append(f"The database does not answer: {one_line(error)}.")
        self._revisions = look.report.revisions or self._revisions
        self._history = look.history or self._history
        report = replace(look.judged(), links=self._links)
        if report.condition is Condition.READY and self._sources.readiness is not None:
            report = _less_ready(report, *self._sources.readiness())
        report = bounded(report)
        return {
            key: replace(report, journal=bounded(look.journal.get(key)))
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
            runs = look.journal.get(id_, ())
            return RevisionDetail(found, None, None, None, runs) if found else None
        source = look.tried(f"The file of {id_}", known.source)
        return RevisionDetail(
            revision=found or pending(known),
            path=known.path.name if known.path else None,
            source=None if source is None else source.decode(errors="replace"),
            sql=sql(id_, known.file_sha256) if (sql := self._sources.sql) else None,
            runs=look.journal.get(id_, ()),
        )


class _Look:
    """One look at the files and the database, which fills a report."""

    def __init__(self, boot: BootDescription, facts: Facts, report: Report) -> None:
        self._boot = boot
        self._facts = facts
        self.report = report
        self.problems: list[str] = []
        self.history: History | None = None
        self.judgement: Judgement | None = None
        self.journal: dict[Key, Any] = {}
        """For each key that is asked for, a page or the runs of a revision."""

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

    def read_history(self, files: HistoryFiles) -> None:
        """Read the files."""
        self.history = self.tried("The history", files.read)
        if self.history is None and not self.problems:
            self.problems.append(
                "The revisions are shown after the start: only Alembic can read this history."
            )

    def read_database(self, connection: Connection, keys: Collection[Key], extent: Extent) -> None:
        """Read all parts; each is there even if another fails."""
        handed_over = VersionTable(*self._facts.get("version_table") or ())
        table = self.tried("The version table", lambda: located(connection, handed_over))
        table = table or handed_over
        journal = Journal(table)

        def asked(what: str, read: Callable[[], T]) -> T | None:
            with _asking(connection):
                return self.tried(what, read)

        current = asked("The version", lambda: read_current(connection, table))
        self._add(current=current or ())
        if (history := self.history) is not None:
            policy = self._boot.schema
            self.judgement = self.tried(
                "The state", lambda: judge(connection, table, history, policy, extent)
            )
        revisions = asked("The last attempts", lambda: self._revisions(connection, journal))
        self._add(revisions=revisions)
        asked("The journal", lambda: self._read_journal(connection, journal, keys))
        self._add(tables=asked("The schema", lambda: self._tables(connection, table, extent)))
        self._add(sessions=asked("The sessions", lambda: read_sessions(connection)))

    def _add(self, **parts: Any) -> None:
        self.report = replace(self.report, **parts)

    def _revisions(self, connection: Connection, journal: Journal) -> tuple[Revision, ...] | None:
        if self.history is None or self.judgement is None:
            return None
        running: set[str] = set()
        failed: set[str] = set()
        if self.judgement.journal_refusal is None:
            dead = died(connection, journal)
            running = {it.revision for it in journal.running(connection) if it not in dead}
            failed = {it.revision for it in journal.unfinished(connection)}
            failed |= {it.revision for it in dead}
        if (number := len(self.history.revisions)) > MOST_REVISIONS:
            self.problems.append(f"{MOST_REVISIONS} of {number} revisions are shown.")
        return revisions_of(self.history, self.judgement.inspection, running, failed)

    def _read_journal(
        self, connection: Connection, journal: Journal, keys: Collection[Key]
    ) -> None:
        if self.judgement is not None and self.judgement.journal_refusal is not None:
            raise self.judgement.journal_refusal
        dead = died(connection, journal)
        for key in keys:
            self.journal[key] = (
                read_page(connection, journal, self.history, dead, key)
                if isinstance(key, int)
                else read_runs(connection, journal, self.history, dead, key)
            )

    def _tables(
        self, connection: Connection, table: VersionTable, extent: Extent
    ) -> tuple[Table, ...]:
        counted = counted_tables(connection, table, extent)
        if len(counted) > MOST_TABLES:
            self.problems.append(f"{MOST_TABLES} of {len(counted)} tables are shown.")
        return read_tables(connection, counted, self._facts.get("differing", ()))

    def judged(self) -> Report:
        """Return the report with its condition, without the journal's page."""
        differences = tuple(self._facts.get("all_differences", ()))[:_MOST_DIFFERENCES]
        report = replace(self.report, differences=differences, problems=tuple(self.problems))
        is_booting = report.condition is Condition.BOOTING
        if self.judgement is None:
            problem = next(iter(self.problems), None)
            if is_booting or problem is None:
                return replace(report, reason=report.reason or problem)
            # What the boot has met may be over; this is so now.
            return replace(report, reason=problem, command=None)
        inspection = self.judgement.inspection
        report = replace(report, state=inspection.state.value, target=inspection.target.name)
        if is_booting:
            return report
        condition, reason, command = self.judgement.verdict(self._facts)
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
