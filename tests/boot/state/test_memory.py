"""What is remembered of a schema says the same as a thorough look, or that nobody knows."""

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import sql

from backend.boot.description import BootDescription
from backend.boot.environment.opening import open_project
from backend.boot.environment.version_table import VersionTable
from backend.boot.errors import MigrationFailedError
from backend.boot.migration.migrate import migrate
from backend.boot.migration.thorough import migrate_thoroughly
from backend.boot.postgres.connection import connected
from backend.boot.revisions.history import Target
from backend.boot.state.inspection import Inspection
from backend.boot.state.memory import Memory, Rows, Sources, memories, note_of, recall
from backend.boot.state.schema import open_schema
from backend.settings import load_settings
from tests.cluster import OWNER, Cluster
from tests.scenarios.process import FOREIGN_ENV, ForeignProject

MEMORY = Memory(
    "surroundings",
    Sources("scripts/env.py", ("scripts/versions",), ("models.py",)),
    "digest",
    VersionTable("version", "s"),
    Rows(("a", "b"), 7, ("s", "public"), None),
    Target("heads", ("a", "b")),
    ("a", "b"),
)


def described(url: str, config: Path, target: str | None = "heads") -> BootDescription:
    boot = load_settings({"DATABASE_URL": url}, Path("/nonexistent")).description()
    policy = replace(boot.schema, target=target)
    return replace(boot, alembic_config=config, schema=policy)


def remembered(boot: BootDescription) -> Inspection | None:
    with connected(boot.migration_database_url) as connection:
        memory = recall(boot, connection)
    return None if memory is None else memory.inspection


def thorough(boot: BootDescription) -> Inspection:
    url = boot.migration_database_url
    inspection = open_schema(url, open_project(boot.alembic_config, url), boot.schema).inspect()
    return replace(inspection, tables=())


def test_a_note() -> None:
    """It is read as it was written."""
    known = [MEMORY, replace(MEMORY, rows=Rows((), None, (), "s"))]
    assert memories(note_of(known)) == known


def test_a_note_does_not_grow_without_end() -> None:
    """The newest are kept."""
    known = [replace(MEMORY, surroundings=str(number)) for number in range(20)]
    assert memories(note_of(known)) == known[-8:]


@pytest.mark.parametrize(
    "note",
    [
        None,
        "",
        "the journal of migrations",
        "[]",
        "null",
        '{"boot": 1, "seen": []}',
        '{"boot": 3}',
        '{"boot": 3, "seen": {"x": 1}}',
        '{"boot": 3, "seen": 7}',
        '{"boot": 3, "seen": [null]}',
        note_of([MEMORY]).replace('"digest"', '"other"'),
        note_of([MEMORY])[:-3],
        "[" * 200_000,
    ],
)
def test_what_is_no_note(note: str | None) -> None:
    """A comment of people's own, or of another version's making, says nothing."""
    assert memories(note) == []


IMPORTING = """\
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parents[1]))
import {}
del sys.path[0]
"""


class Theirs:
    """Somebody's history beside a database that is at its heads."""

    def __init__(self, folder: Path, cluster: Cluster, database: str) -> None:
        self.cluster = cluster
        self.database = database
        name = f"theirs_{uuid4().hex}"
        self.module = folder / name / f"{name}.py"
        self.project = ForeignProject(folder / name, env=IMPORTING.format(name) + FOREIGN_ENV)
        self.module.write_text("# what env.py imports\n", encoding="utf-8")
        self.project.revision("a1", None, "pass", "pass")
        self.project.revision("b2", "a1", "pass", "pass")
        self.boot = described(cluster.url(database), self.project.config)

    def file(self, revision: str) -> Path:
        [path] = self.project.versions.glob(f"{revision}*.py")
        return path

    def execute(self, statement: str) -> None:
        self.cluster.execute(statement, self.database)


@pytest.fixture
def theirs(tmp_path: Path, cluster: Cluster, database: str) -> Theirs:
    found = Theirs(tmp_path, cluster, database)
    migrate(found.boot)
    return found


def test_nothing_has_changed(theirs: Theirs) -> None:
    """It is remembered what a thorough look would say."""
    assert remembered(theirs.boot) == thorough(theirs.boot)


def edit(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


CHANGES: dict[str, Callable[[Theirs], object]] = {
    "a new revision": lambda it: it.project.revision("c3", "b2"),
    "one revision less": lambda it: it.file("b2").unlink(),
    "a word in a revision": lambda it: edit(it.file("a1"), "# a word\n"),
    "another name of a file": lambda it: it.file("a1").rename(it.project.versions / "x.py"),
    "a word in env.py": lambda it: edit(it.project.folder / "scripts" / "env.py", "# a word\n"),
    "a word in the configuration": lambda it: edit(it.project.config, "# a word\n"),
    "no env.py": lambda it: (it.project.folder / "scripts" / "env.py").unlink(),
    "no folder": lambda it: it.project.versions.rename(it.project.folder / "elsewhere"),
    "another row": lambda it: it.execute("UPDATE alembic_version SET version_num = 'a1'"),
    "two rows": lambda it: it.execute("INSERT INTO alembic_version VALUES ('a1')"),
    "a version table of that name that is met first": lambda it: it.execute(
        f'CREATE SCHEMA AUTHORIZATION "{OWNER}";'
        f"CREATE TABLE {OWNER}.alembic_version AS SELECT 'a1' AS version_num;"
        f"ALTER TABLE {OWNER}.alembic_version OWNER TO {OWNER}"
    ),
    "another search_path": lambda it: it.execute(
        f'CREATE SCHEMA tenant AUTHORIZATION "{OWNER}";'
        f"ALTER ROLE {OWNER} IN DATABASE {it.database} SET search_path = tenant, public"
    ),
    "a module of the project's own": lambda it: edit(it.module, "# a word\n"),
    "no row": lambda it: it.execute("DELETE FROM alembic_version"),
    "no version table": lambda it: it.execute("DROP TABLE alembic_version"),
    "a new row of the journal": lambda it: it.execute(
        "INSERT INTO schema_journal (version_table, revision, direction, phase, status,"
        " started_at, host, pid)"
        " VALUES ('public.alembic_version', 'x', 'upgrade', 'expand', 'applied', now(), 'h', 1)"
    ),
    "no journal": lambda it: it.execute("DROP TABLE schema_journal"),
    "another schema": lambda it: it.execute(
        "CREATE SCHEMA other; ALTER TABLE alembic_version SET SCHEMA other"
    ),
    "a note of people's own": lambda it: it.execute("COMMENT ON TABLE schema_journal IS 'ours'"),
    "a table of that name with the same note": lambda it: it.execute(
        "CREATE SCHEMA copy; CREATE TABLE copy.schema_journal ();"
        "DO $$ BEGIN EXECUTE format('COMMENT ON TABLE copy.schema_journal IS %L',"
        " obj_description('schema_journal'::regclass)); END $$;"
        f"ALTER TABLE copy.schema_journal OWNER TO {OWNER}"
    ),
    "a module that env.py may have looked for": lambda it: it.module.with_name(
        "local_settings.py"
    ).touch(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_something_has_changed(theirs: Theirs, change: Callable[[Theirs], object]) -> None:
    """Whatever it is, nobody knows any more without a thorough look."""
    change(theirs)
    assert remembered(theirs.boot) is None


@pytest.mark.parametrize(
    ("variable", "is_known"),
    [
        ("TENANT", False),
        ("APP_ENV", False),
        ("HOSTNAME", True),
        ("LOG_LEVEL", True),
        ("JWT_SECRET", True),
        ("DB_PASS", True),
        ("MYSQL_PWD", True),
        ("API_KEY", True),
        ("KEYSPACE", False),
    ],
)
def test_another_environment(
    theirs: Theirs, monkeypatch: pytest.MonkeyPatch, variable: str, is_known: bool
) -> None:
    """An env.py may decide by any variable; but of some each host has its own."""
    monkeypatch.setenv(variable, "another")
    assert (remembered(theirs.boot) is not None) == is_known
    migrate(theirs.boot)
    assert remembered(theirs.boot) is not None
    monkeypatch.undo()
    assert remembered(theirs.boot) is not None  # both are noted


def test_a_secret_leaves_no_trace(theirs: Theirs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even as a hash: short ones could be guessed from it."""
    password = "postgresql://someone:{}@host/db"
    monkeypatch.setenv("OTHER_URL", password.format("one"))
    migrate(theirs.boot)
    monkeypatch.setenv("OTHER_URL", password.format("two"))
    assert remembered(theirs.boot) is not None


def test_a_secret_in_an_address_leaves_none(
    theirs: Theirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the variable is called."""
    monkeypatch.setenv("REPORTS", "https://one@reports.example.org/1")
    migrate(theirs.boot)
    monkeypatch.setenv("REPORTS", "https://two@reports.example.org/1")
    assert remembered(theirs.boot) is not None


def test_a_link_is_switched(theirs: Theirs) -> None:
    """As where each release has a folder of its own."""
    versions = theirs.project.versions
    first, second = versions.with_name("versions-1"), versions.with_name("versions-2")
    versions.rename(first)
    versions.symlink_to(first)
    migrate(theirs.boot)
    assert remembered(theirs.boot) is not None
    shutil.copytree(first, second)
    versions.unlink()
    versions.symlink_to(second)
    theirs.project.revision("c3", "b2")
    assert remembered(theirs.boot) is None


@pytest.mark.parametrize("kind", ["TABLE mallory.", "TEMP TABLE "])
def test_somebody_elses_note(theirs: Theirs, kind: str) -> None:
    """Whoever may log in may make a table by that name, and say there that all is well."""
    role = f"mallory_{theirs.database}"
    theirs.execute(f"CREATE ROLE {role}")
    theirs.execute(f"CREATE SCHEMA mallory AUTHORIZATION {role}")
    with connected(theirs.boot.migration_database_url) as connection:
        memory = recall(theirs.boot, connection)
    assert memory is not None
    theirs.project.revision("c3", "b2")
    digest = memory.sources.digest(theirs.boot.alembic_config, theirs.boot.schema)
    forged = sql.Literal(note_of([replace(memory, digest=digest)]))
    table = "mallory.schema_journal" if "mallory" in kind else "schema_journal"
    try:
        with closing(theirs.cluster.connect(theirs.database)) as session:
            cursor = session.cursor()
            cursor.execute(f"SET SESSION AUTHORIZATION {role}")
            cursor.execute(f"CREATE {kind}schema_journal ()")
            cursor.execute(sql.SQL(f"COMMENT ON TABLE {table} IS {{}}").format(forged))
            assert remembered(theirs.boot) is None
    finally:
        theirs.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize("target", [None, "b2", "a1"])
def test_another_target(theirs: Theirs, target: str) -> None:
    """It is another question."""
    boot = described(theirs.cluster.url(theirs.database), theirs.project.config, target)
    assert remembered(boot) is None
    rollback = replace(theirs.boot, schema=replace(theirs.boot.schema, rollback=True))
    assert remembered(rollback) is None


TRAPS = {
    "a docstring that looks like an assignment": '"""x\nrevision = "z9"\n"""\n',
    "reassigned under if": "if True:\n    revision = 'a1'\n",
    "assigned in a tuple": "revision, other = 'a1', None\n",
    "computed": "import os\nrevision = os.path.basename('x/a1')\n",
    "a commented line": "# revision = 'z9'\n",
    "CRLF": "x = 1\r\n",
    "another's name": "from os import *\n",
}


@pytest.mark.parametrize("text", TRAPS.values(), ids=TRAPS.keys())
def test_traps(theirs: Theirs, text: str) -> None:
    """Nothing is parsed, so there is nothing to be taken in by: before a look nobody knows, and
    after it what is said is the same.
    """
    path = theirs.file("a1")
    path.write_bytes(path.read_bytes() + text.encode())
    assert remembered(theirs.boot) is None
    migrate_thoroughly(theirs.boot, lambda _inspection: None)
    # An edited revision is a warning each time, which only a thorough look gives.
    assert remembered(theirs.boot) in (None, thorough(theirs.boot))


@pytest.mark.parametrize("mark", ["\ufeff", ""], ids=["byte-order mark", "none"])
def test_a_history_with_traps_from_the_start(
    tmp_path: Path, cluster: Cluster, database: str, mark: str
) -> None:
    """What Alembic makes of the oddest file is what is remembered."""
    theirs = Theirs(tmp_path, cluster, database)
    path = theirs.file("b2")
    odd = mark + path.read_text(encoding="utf-8") + "".join(TRAPS.values()).replace("a1", "b2")
    path.write_bytes(odd.encode())
    migrate(theirs.boot)
    assert remembered(theirs.boot) == thorough(theirs.boot)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return revisions with their parents and what they depend on: branches, merges, all of it."""
    graph: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for number in range(draw(st.integers(1, 7))):
        older = st.lists(st.sampled_from(sorted(graph) or [""]), unique=True, max_size=2)
        parents = tuple(filter(None, draw(older)))
        others = tuple(it for it in draw(older) if it and it not in parents)
        graph[f"r{number}"] = (parents, others)
    return graph


@pytest.mark.slow
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(graph=graphs(), added=st.booleans(), data=st.data())
def test_random_graphs(
    tmp_path: Path,
    cluster: Cluster,
    graph: dict[str, tuple[tuple[str, ...], tuple[str, ...]]],
    added: bool,
    data: st.DataObject,
) -> None:
    """Both say the same, or the quick one says that it does not know."""
    with cluster.database() as database:
        project = ForeignProject(tmp_path / uuid4().hex)
        for revision, (parents, others) in graph.items():
            constants = f"depends_on = {others!r}" if others else ""
            project.revision(revision, parents, "pass", "pass", constants=constants)
        boot = described(cluster.url(database), project.config)
        try:
            migrate(boot)
        except MigrationFailedError:  # a graph that Alembic itself cannot walk
            assert remembered(boot) is None
            return
        assert remembered(boot) == thorough(boot)
        if added:
            project.revision("z9", data.draw(st.sampled_from(sorted(graph))), "pass", "pass")
            assert remembered(boot) is None
        else:
            row = data.draw(st.sampled_from(sorted(graph)))
            cluster.execute(
                f"TRUNCATE alembic_version; INSERT INTO alembic_version VALUES ('{row}')", database
            )
            assert remembered(boot) in (None, thorough(boot))


def test_two_histories_in_one_schema(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """Each has its own part of the note."""
    first = Theirs(tmp_path, cluster, database)
    second = Theirs(tmp_path, cluster, database)
    env = second.project.folder / "scripts" / "env.py"
    env.write_text(
        env.read_text(encoding="utf-8").replace(
            "context.configure(", "context.configure(version_table='second', "
        ),
        encoding="utf-8",
    )
    migrate(first.boot)
    cluster.execute(
        f"SET ROLE {OWNER}; CREATE TABLE second AS SELECT 'b2' AS version_num", database
    )
    second.project.revision("c3", "b2", "pass", "pass")
    migrate(second.boot)  # which writes into the journal they share
    for each in (first, second):
        migrate(each.boot)
        assert remembered(each.boot) == thorough(each.boot)
    [[note]] = cluster.query("SELECT obj_description('schema_journal'::regclass)", database)
    assert len(memories(str(note))) == 2
