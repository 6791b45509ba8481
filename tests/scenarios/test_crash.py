"""A starter killed in the middle of it, wherever that is, is made good by the next start.

SIGKILL leaves nobody the time to clean up. Between any two statements, and while any of them is
with the server, what is left behind must lead the next starter to where an undisturbed one gets.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import cycle
from pathlib import Path
from signal import SIGKILL

import pytest

from alembic_boot.adoption.comparison import Catalogue, compare
from alembic_boot.adoption.reading import read_catalogue
from tests.cluster import Cluster
from tests.history import OURS
from tests.proxy import Proxy
from tests.scenarios.process import DEADLINE, ForeignProject, project
from tests.scenarios.starters import Starter, Zygote

pytestmark = pytest.mark.slow

_AT_ONCE = 3
"""How many boundaries are tried at the same time."""

_CHANGES_NOTHING = re.compile(
    r"(?:BEGIN|RESET|RELEASE SAVEPOINT|SAVEPOINT|SELECT|SET|SHOW)\b(?!.*(?:;|advisory))",
    re.IGNORECASE,
)
"""A single statement that neither writes, commits nor takes a lock of ours."""

_HEARTBEAT = "SHOW transaction_isolation"
"""What the lock's own session says every two seconds: only a run that is slow gets to it."""

_LOOKS = ("pg_blocking_pids", "blocks_done", "pid = ANY", "state_change::text")
"""What the thread beside a revision asks for, if the revision takes longer than a moment."""


class Moment(StrEnum):
    """When the starter dies."""

    BEFORE = "before"
    """The statement was never sent."""
    DURING = "during"
    """The server has it, and nobody who waits for the answer."""


@dataclass(frozen=True)
class JournalRow:
    """A row of the journal, as far as it is the same in every run."""

    revision: str
    direction: str
    status: str
    pid: int


@dataclass(frozen=True)
class Outcome:
    """All that a start leaves behind."""

    schema: Catalogue
    rows: dict[str, list[str]]
    """Of every table, with the version table and without the journal."""
    journal: list[JournalRow]


def outcome(cluster: Cluster, database: str, known: int = 0) -> Outcome:
    """Return what is there now, without the first rows of the journal: those are known."""
    with closing(cluster.connect(database)) as connection:
        schema = read_catalogue(connection)
        cursor = connection.cursor()
        cursor.execute(
            "SELECT tablename FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'schema_journal'"
        )
        rows = {}
        for [table] in cursor.fetchall():
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            rows[table] = [row for [row] in cursor.fetchall()]
        cursor.execute(
            "SELECT revision, direction, status, pid FROM schema_journal ORDER BY id OFFSET %s",
            (known,),
        )
        journal = [JournalRow(*row) for row in cursor.fetchall()]
    return Outcome(schema, rows, journal)


@dataclass(frozen=True)
class History:
    """A history, and how starters are told to apply it."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    begun: tuple[str, ...] = ()
    """The revisions that have been applied when the starter comes that is killed."""

    @contextmanager
    def database(self, cluster: Cluster, zygote: Zygote) -> Iterator[str]:
        """Make a database to be cloned for each starter that is killed."""
        with cluster.database() as name:
            if self.begun:
                url = cluster.url(name)
                self.migrate(zygote, url, MIGRATION_TARGET=self.begun[-1]).finish().assert_ok()
            yield name

    def migrate(self, zygote: Zygote, url: str, **variables: str) -> Starter:
        known = {**self.variables, "DATABASE_URL": url, **variables}
        return zygote.spawn(self.folder, "migrate", barrier=False, **known)


def ours(tmp_path: Path) -> History:
    """Return the part of the repository's history that moves rows."""
    return History(project(tmp_path), {"MIGRATION_TARGET": OURS[5]}, begun=OURS[:3])


CONCURRENTLY = """
with op.get_context().autocommit_block():
    op.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_animals_born ON animals (born)")
"""
"""What leaves an index that is not valid where it is cut short."""

THE_INDEX = "indexrelid = to_regclass('ix_animals_born')"


def theirs(tmp_path: Path) -> History:
    """Return a history with what ours lacks: branches and a merge, and no transaction around."""
    foreign = ForeignProject(tmp_path / "theirs")
    foreign.revision(
        "a1",
        None,
        """
        op.execute("CREATE TYPE mood AS ENUM ('calm', 'wild')")
        op.create_table(
            "animals",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.Text, nullable=False),
            sa.Column("born", sa.Integer, nullable=False),
        )
        op.execute(
            "INSERT INTO animals SELECT n, 'animal ' || n, 2000 + n FROM generate_series(1, 20) n"
        )
        """,
    )
    foreign.revision(
        "b1",
        "a1",
        """
        op.execute("ALTER TABLE animals ADD COLUMN mood mood")
        op.execute("UPDATE animals SET mood = CASE WHEN id < 5 THEN 'calm' ELSE 'wild' END::mood")
        op.alter_column("animals", "mood", nullable=False)
        """,
    )
    foreign.revision(
        "b2",
        "a1",
        f"{CONCURRENTLY}\nop.execute(\"COMMENT ON INDEX ix_animals_born IS 'one a year'\")",
    )
    foreign.revision("c1", ("b1", "b2"), "pass")
    foreign.revision(
        "d1",
        "c1",
        """
        op.create_table(
            "names",
            sa.Column("animal_id", sa.Integer, sa.ForeignKey("animals.id"), primary_key=True),
            sa.Column("language", sa.Text, primary_key=True),
            sa.Column("name", sa.Text, nullable=False),
        )
        op.execute("INSERT INTO names SELECT id, 'en', name FROM animals")
        op.drop_column("animals", "name")
        """,
    )
    foreign.revision(
        "e1",
        "d1",
        """
        with op.get_context().autocommit_block():
            op.execute("ALTER TYPE mood ADD VALUE 'sleepy'")
        op.execute("UPDATE animals SET mood = 'sleepy' WHERE mood = 'calm'")
        """,
    )
    return History(project(tmp_path), {"ALEMBIC_CONFIG": str(foreign.config)})


def is_of_a_clock(statement: str) -> bool:
    """Whether a statement comes at a time of its own, and not in its turn."""
    return statement == _HEARTBEAT or any(look in statement for look in _LOOKS)


def boundaries(statements: Sequence[str]) -> list[int]:
    """Return the statements at which a starter is killed: all that may change something.

    Of others in a row, the first stands for all: none of them changes what is left behind.
    """
    quiet = [_CHANGES_NOTHING.match(statement) is not None for statement in statements]
    return [n for n, is_quiet in enumerate(quiet) if not (is_quiet and n and quiet[n - 1])]


def undisturbed(
    cluster: Cluster, zygote: Zygote, history: History, template: str = "template1"
) -> tuple[Outcome, tuple[str, ...]]:
    """Return where a start leads that nobody kills, and the statements on its way."""
    statements: list[str] = []

    def note(_number: int, statement: str) -> None:
        if not is_of_a_clock(statement):
            statements.append(" ".join(statement.split()))

    with cluster.database(template) as name, Proxy(cluster.port, on_query=note) as proxy:
        history.migrate(zygote, cluster.url(name, port=proxy.port)).finish().assert_ok()
        return outcome(cluster, name, len(history.begun)), tuple(statements)


@dataclass(frozen=True)
class Crash:
    """A starter that is killed at one statement, and the one that comes after it."""

    cluster: Cluster
    zygote: Zygote
    history: History
    number: int
    moment: Moment
    template: str = "template1"

    def check(self, expected: Outcome) -> None:
        """Fail unless the second one gets where an undisturbed one does."""
        with self.cluster.database(self.template) as name, Proxy(self.cluster.port) as proxy:
            first = self.kill_first(name, proxy)
            second = self.history.migrate(self.zygote, self.cluster.url(name))
            second.finish().assert_ok()
            found = outcome(self.cluster, name, len(self.history.begun))
            assert compare(found.schema, expected.schema) == ()
            assert found.rows == expected.rows
            self._check_journal(found.journal, expected.journal, first.pid, second.pid)

    def kill_first(self, database: str, proxy: Proxy) -> Starter:
        known: Future[Starter] = Future()
        seen: list[str] = []

        def kill(_number: int, statement: str) -> None:
            if is_of_a_clock(statement):
                return
            seen.append(statement)
            if len(seen) == self.number + 1:
                known.result(DEADLINE).signal(SIGKILL)
                if self.moment is Moment.BEFORE:
                    proxy.drop()  # what was not sent is not to be forwarded

        if self.moment is Moment.BEFORE:
            proxy.on_query = kill
        else:
            proxy.after_query = kill
        first = self.history.migrate(self.zygote, self.cluster.url(database, port=proxy.port))
        known.set_result(first)
        assert first.finish().status == -SIGKILL
        # It takes a moment to die, in which an answer may come and something more be said.
        assert len(seen) > self.number
        return first

    @staticmethod
    def _check_journal(
        found: list[JournalRow], expected: list[JournalRow], first: int, second: int
    ) -> None:
        """Fail unless each revision was applied once, by either, and at most one was tried twice.

        Only the one that the first died at has failed, just before the second applied it.
        """
        applied = [row for row in found if row.status != "failed"]
        failed = [row for row in found if row.status == "failed"]
        assert [(row.revision, row.direction, row.status) for row in applied] == [
            (row.revision, row.direction, row.status) for row in expected
        ], found
        by_first = sum(row.pid == first for row in applied)
        pids = [first] * by_first + [second] * (len(applied) - by_first)
        assert [row.pid for row in applied] == pids, found
        assert len(failed) <= 1, found
        if failed:
            interrupted = found[by_first]
            assert interrupted == failed[0], found
            assert (interrupted.revision, interrupted.pid) == (applied[by_first].revision, first)


BY_TURNS = (Moment.BEFORE, Moment.DURING)


@pytest.mark.parametrize(
    ("make_history", "version", "every"),
    [
        (ours, 18, 1),
        (theirs, 18, 1),
        (theirs, 16, 5),  # what differs is how the server ends a session, not at which statement
    ],
)
def test_killed_at_every_boundary(
    tmp_path: Path,
    cluster_of: Callable[[int], Cluster],
    zygote: Zygote,
    make_history: Callable[[Path], History],
    version: int,
    every: int,
) -> None:
    """Whatever a starter is killed at, the next one gets where it would have got."""
    cluster = cluster_of(version)
    history = make_history(tmp_path)
    with history.database(cluster, zygote) as template:
        expected, statements = undisturbed(cluster, zygote, history, template)
        assert {row.status for row in expected.journal} == {"applied"}
        assert expected.rows["alembic_version"]
        crashes = [
            Crash(cluster, zygote, history, number, moment, template)
            for number, moment in zip(boundaries(statements)[::every], cycle(BY_TURNS))
        ]

        def failure_of(crash: Crash) -> str | None:
            try:
                crash.check(expected)
            except AssertionError as error:
                return f"{crash.moment} {crash.number}, {statements[crash.number]}: {error}"
            return None

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            failures = [failure for failure in pool.map(failure_of, crashes) if failure]
    assert not failures, "\n\n".join([f"{len(failures)} of {len(crashes)}", *failures])


COMMITTING = f"""
op.execute("INSERT INTO notes (text) VALUES ('once')")
{CONCURRENTLY.replace("animals", "notes").replace("born", "text")}
op.execute("CREATE TABLE done ()")
"""


def test_what_was_committed_is_not_done_twice(
    tmp_path: Path, cluster: Cluster, zygote: Zygote
) -> None:
    """Killed anywhere, a revision that commits a part of itself is run again, or that is refused:
    never is the part done a second time.
    """
    foreign = ForeignProject(tmp_path / "theirs")
    foreign.revision("a1", None, 'op.execute("CREATE TABLE notes (text text)")')
    foreign.revision("b2", "a1", COMMITTING)
    variables = {"ALEMBIC_CONFIG": str(foreign.config)}
    history = History(project(tmp_path), variables, begun=("a1",))
    with history.database(cluster, zygote) as template:
        _, statements = undisturbed(cluster, zygote, history, template)

        def ending(number: int, moment: Moment) -> tuple[int, object]:
            crash = Crash(cluster, zygote, history, number, moment)
            with cluster.database(template) as name, Proxy(cluster.port) as proxy:
                crash.kill_first(name, proxy)
                second = history.migrate(zygote, cluster.url(name)).finish()
                [[notes]] = cluster.query("SELECT count(*) FROM notes", name)
                if second.status == 5:
                    second.assert_failed(5, "Migration b2 Foreign b2 was interrupted after …")
                return second.status, notes

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            endings = list(pool.map(ending, boundaries(statements), cycle(BY_TURNS)))
    assert set(endings) == {(0, 1), (5, 1)}, endings


def test_killed_half_way_through_an_index(tmp_path: Path, cluster: Cluster, zygote: Zygote) -> None:
    """An index that a dead starter was building concurrently is given up, and built anew."""
    history = theirs(tmp_path)
    with cluster.database() as name, closing(cluster.connect(name)) as writer:
        url = cluster.url(name)
        history.migrate(zygote, url, MIGRATION_TARGET="b1").finish().assert_ok()
        writer.autocommit = False
        writer.cursor().execute("UPDATE animals SET born = born")  # what the index must wait for
        first = history.migrate(zygote, url)
        wait_until(cluster, name, "SELECT NOT indisvalid FROM pg_index WHERE " + THE_INDEX)
        first.signal(SIGKILL)
        assert first.finish().status == -SIGKILL
        second = history.migrate(zygote, url)
        second.wait_for(
            f"A starter died during a migration (…, process {first.pid}, since …, at b2): …"
        )
        wait_until(
            cluster,
            name,
            "SELECT count(*) = 0 FROM pg_stat_activity a JOIN schema_journal j"
            f" USING (backend_start) WHERE j.pid = {first.pid} AND a.pid = j.backend_pid"
            " AND j.revision = 'b2'",
        )
        writer.commit()
        second.finish().assert_ok()
        expected, _ = undisturbed(cluster, zygote, history)
        found = outcome(cluster, name)
        assert compare(found.schema, expected.schema) == ()
        assert found.rows == expected.rows
        tried = [row for row in found.journal if row.revision == "b2"]
        assert [(row.status, row.pid) for row in tried] == [
            ("failed", first.pid),
            ("applied", second.pid),
        ]
        assert cluster.query("SELECT indisvalid FROM pg_index WHERE " + THE_INDEX, name) == [
            (True,)
        ]


def wait_until(cluster: Cluster, database: str, query: str) -> None:
    """Return as soon as the query says true."""
    deadline = time.monotonic() + DEADLINE
    while cluster.query(query, database) != [(True,)]:
        assert time.monotonic() < deadline, query
        time.sleep(0.02)
