"""Collect what the status page shows: from the files, the database and the notes of the boot."""

from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import MAXYEAR, MINYEAR, datetime

import psycopg2
from psycopg2.extensions import PYDATETIMETZ, cursor as Cursor, new_type, register_type

from alembic_boot.description import BootDescription
from alembic_boot.history.history import History
from alembic_boot.postgres.connection import connect, named, one_line
from alembic_boot.situation import situation
from alembic_boot.state.judgement import Facts
from alembic_boot.state.readiness import Readiness
from alembic_boot.state.tables import Extent
from alembic_boot.status_page.history_files import HistoryFiles
from alembic_boot.status_page.look import Look
from alembic_boot.status_page.progress import outline
from alembic_boot.status_page.report import (
    Condition,
    Found,
    Key,
    Link,
    Revision,
    RevisionDetail,
    bounded,
)
from alembic_boot.status_page.revisions import pending

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

_CONNECT, _SILENCE = 2.0, 3.0
"""Seconds that a login, and the answer to a statement, may take."""

_LONGEST_SOURCE = 200_000
"""Characters of a file that are shown."""


@dataclass(frozen=True)
class Sources:
    """The knowledge of a process besides its files and its database."""

    facts: Callable[[], Facts] = dict
    """Gives what the boot has handed over."""
    readiness: Callable[[], Readiness | None] = lambda: None
    """Gives what a probe of the service says now."""
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
        look = Look(self._boot, facts, outline(self._service, release, situation(), facts))
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
        is_booting = look.report.condition is Condition.BOOTING
        said = None if is_booting else self._sources.readiness()
        report = bounded(replace(look.judged(said), links=self._links))
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

    def _detail(self, id_: str, look: Look) -> RevisionDetail | None:
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
