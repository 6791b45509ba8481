"""One look at the files and the database, which fills a report of the status page.

If a part cannot be read, nothing is raised: the part is None, and `problems` says why. Every part
has a bound of its own: time, rows and lengths.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection

from alembic_boot.description import BootDescription
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import BootError
from alembic_boot.history.history import History, Target, resolve_target
from alembic_boot.postgres.connection import one_line
from alembic_boot.running.lock import died
from alembic_boot.state.edits import agreed_digest
from alembic_boot.state.facts import located, read_current, read_facts
from alembic_boot.state.inspection import Inspection, inspect
from alembic_boot.state.journal import Journal
from alembic_boot.state.judgement import Facts, judge, shown
from alembic_boot.state.plan import Action, Plan, decide, refuse
from alembic_boot.state.readiness import Readiness
from alembic_boot.state.tables import Extent, counted_tables
from alembic_boot.status_page.catalogue import MOST_TABLES, read_tables
from alembic_boot.status_page.history_files import HistoryFiles
from alembic_boot.status_page.report import Condition, Key, Report, Revision, Table
from alembic_boot.status_page.revisions import MOST_REVISIONS, revisions_of
from alembic_boot.status_page.runs import read_page, read_runs
from alembic_boot.status_page.sessions import read_sessions

T = TypeVar("T")

_TIMEOUT = 1000
"""Milliseconds that a statement may take."""

# A lock is not worth waiting for: the next report is a second away.
_BEGIN = f"""
BEGIN READ ONLY;
SET LOCAL statement_timeout = {_TIMEOUT};
SET LOCAL lock_timeout = 300
"""

_MOST_DIFFERENCES = 50


class Look:
    """One look at the files and the database, which fills a report."""

    def __init__(self, boot: BootDescription, facts: Facts, report: Report) -> None:
        self._boot = boot
        self._facts = facts
        self.report = report
        self.problems: list[str] = []
        self.history: History | None = None
        self.inspection: Inspection | None = None
        self._plan = Plan(Action.NOTHING)
        self._journal_refusal: BootError | None = None
        """Why the role may not see the journal. It needs that only if the schema is ahead."""
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
            self.tried("The state", lambda: self._inspect(connection, table, history, extent))
        revisions = asked("The last attempts", lambda: self._revisions(connection, journal))
        self._add(revisions=revisions)
        asked("The journal", lambda: self._read_journal(connection, journal, keys))
        self._add(tables=asked("The schema", lambda: self._tables(connection, table, extent)))
        self._add(sessions=asked("The sessions", lambda: read_sessions(connection)))

    def _inspect(
        self, connection: Connection, table: VersionTable, history: History, extent: Extent
    ) -> None:
        policy = self._boot.schema
        broken: BootError | None = None
        try:
            target = resolve_target(history, policy.target, rollback=policy.rollback)
        except BootError as error:
            broken, target = error, Target("heads", history.heads)
        agreed = partial(agreed_digest, history=history)
        facts = read_facts(connection, table, _TIMEOUT, extent, agreed)
        self._journal_refusal = facts.journal_refusal
        self.inspection = inspection = inspect(facts, history, target)
        self._plan = decide(inspection, rollback=policy.rollback, disposal=policy.disposal)
        if broken is not None:
            self._plan = refuse(broken)

    def _add(self, **parts: Any) -> None:
        self.report = replace(self.report, **parts)

    def _revisions(self, connection: Connection, journal: Journal) -> tuple[Revision, ...] | None:
        if self.history is None or self.inspection is None:
            return None
        running: set[str] = set()
        failed: set[str] = set()
        if self._journal_refusal is None:
            dead = died(connection, journal)
            running = {it.revision for it in journal.running(connection) if it not in dead}
            failed = {it.revision for it in journal.unfinished(connection)}
            failed |= {it.revision for it in dead}
        if (number := len(self.history.revisions)) > MOST_REVISIONS:
            self.problems.append(f"{MOST_REVISIONS} of {number} revisions are shown.")
        return revisions_of(self.history, self.inspection, running, failed)

    def _read_journal(
        self, connection: Connection, journal: Journal, keys: Collection[Key]
    ) -> None:
        if self._journal_refusal is not None:
            raise self._journal_refusal
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

    def judged(self, said: Readiness | None) -> Report:
        """Return the report with its condition, without the journal's page.

        `said` is the service's own answer to a probe, which the page never contradicts.
        """
        facts, found, problem = self._facts, self.inspection, next(iter(self.problems), None)
        differences = tuple(facts.get("all_differences", ()))[:_MOST_DIFFERENCES]
        report = replace(self.report, differences=differences, problems=tuple(self.problems))
        if found is not None:
            report = replace(report, state=found.state.value, target=found.target.name)
        if report.condition is Condition.BOOTING:
            return replace(report, reason=report.reason or problem)
        failure = facts.get("failure")
        own = Readiness(ready=False, reason=problem or failure)
        if found is not None:
            # The service has another reason as soon as a failure of the boot is over.
            has_moved = said is not None and said.state is not None and said.reason != failure
            own = judge(found, self._plan, facts, has_moved=has_moved)
        ready = shown(said, own)
        told = ready if ready.reason else own
        names = facts.get("cause") if told.reason == failure else told.cause
        reason = names or told.reason or " ".join(self._plan.warnings) or None
        condition = Condition(ready.status)
        return replace(report, condition=condition, reason=reason, command=told.command)


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
