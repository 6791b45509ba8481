"""A database without a revision gets the one whose schema it has, wherever it comes from."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from alembic_boot.adoption.comparison import Catalogue, compare
from alembic_boot.adoption.history_replay import Replay
from alembic_boot.adoption.reading import IGNORED_TABLES
from alembic_boot.adoption.schema_matching import Revisions, equal_points, match_schema
from alembic_boot.adoption.schema_selection import read_beside
from alembic_boot.adoption.sketch import read_outline, read_sketch
from alembic_boot.description import SchemaPolicy
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import ConfigurationError, SchemaPastError, SchemaUnmanagedError
from alembic_boot.migration.migrate import migrate
from alembic_boot.running.record import stamp
from alembic_boot.state.inspection import SchemaState
from alembic_boot.state.schema import Schema, open_schema
from backend.models import Base
from tests.boot.adoption.unmanaged import (
    Theirs,
    described,
    journal,
    made,
    make_at,
    replayed,
    scratches,
)
from tests.cluster import OWNER, Cluster
from tests.migrations.migrated import read_schema
from tests.migrations.project import engine_for, revisions
from tests.scenarios.process import FOREIGN_ENV, revisions as recorded

pytestmark = pytest.mark.slow

HISTORY = revisions()

MakeDatabase = Callable[[], str]


@pytest.fixture
def make_database(any_cluster: Cluster) -> Iterator[MakeDatabase]:
    """Give what makes empty databases on each supported server, and returns their names."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(any_cluster.database())


@pytest.fixture(scope="module")
def head(any_cluster: Cluster) -> Iterator[Catalogue]:
    """Give what any other database is like at head."""
    with any_cluster.database() as database:
        migrate(described(any_cluster, database))
        yield read_schema(any_cluster, database)


@pytest.fixture
def theirs(tmp_path: Path, cluster: Cluster, database: str) -> Theirs:
    """Give a project without revisions, beside an empty database."""
    return Theirs(tmp_path, cluster, database)


def opened(theirs: Theirs) -> Schema:
    boot = theirs.boot
    project = open_project(boot.alembic_config, boot.migration_database_url)
    return open_schema(boot.migration_database_url, project, boot.schema)


def restore(cluster: Cluster, original: str, database: str) -> None:
    """Restore a dump of one database in another."""
    server = ["-h", "127.0.0.1", "-p", str(cluster.port), "-U", "postgres"]
    dump = subprocess.run(
        [cluster.program("pg_dump"), *server, original], check=True, stdout=subprocess.PIPE
    )
    subprocess.run(
        [cluster.program("psql"), *server, "-qX", "-v", "ON_ERROR_STOP=1", database],
        input=dump.stdout,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def assert_adopted(cluster: Cluster, database: str, revision: str, head: Catalogue) -> None:
    """Fail unless it was recorded at that revision, upgraded, and is like any other since."""
    later = HISTORY[HISTORY.index(revision) + 1 :]
    expected = [f"stamp {revision} applied", *(f"upgrade {it} applied" for it in later)]
    assert expected == journal(cluster, database)
    assert recorded(cluster, database) == HISTORY[-1:]
    assert compare(read_schema(cluster, database), head) == ()
    assert scratches(cluster) == []


@pytest.fixture(scope="module")
def replay(any_cluster: Cluster) -> Replay:
    """Give our history as a replay makes it, with each point read in full."""
    return replayed(any_cluster, None)


def recognised(cluster: Cluster, database: str, replay: Replay) -> list[Revisions]:
    """Return the points of the history that a database equals."""
    with closing(cluster.connect(database)) as connection:
        found = read_beside(connection, VersionTable(), replay.other_schemas)
    return equal_points(match_schema(found, replay.points))


def quick_look(cluster: Cluster, database: str) -> list[Catalogue]:
    """Return what decides whether a database is read in full."""
    with closing(cluster.connect(database)) as connection:
        return [read(connection, IGNORED_TABLES) for read in (read_outline, read_sketch)]


def test_each_revision_is_recognised(
    any_cluster: Cluster, make_database: MakeDatabase, replay: Replay
) -> None:
    """Out of a dump, too, whose quick readings are those of the original."""
    original = make_database()
    for revision in HISTORY:
        migrate(described(any_cluster, original, revision))
        copy = make_database()
        restore(any_cluster, original, copy)
        assert recognised(any_cluster, copy, replay) == [(revision,)]
        assert quick_look(any_cluster, original) == quick_look(any_cluster, copy)


@pytest.mark.parametrize(
    ("any_cluster", "revision"),
    [*((18, HISTORY[place]) for place in (0, 4, -1)), (16, HISTORY[4])],
    indirect=["any_cluster"],
)
def test_a_restored_dump_is_adopted(
    any_cluster: Cluster, make_database: MakeDatabase, head: Catalogue, revision: str
) -> None:
    """Its revision is recorded, and it goes up to head."""
    original, copy = make_database(), make_database()
    make_at(any_cluster, original, revision)
    restore(any_cluster, original, copy)
    migrate(described(any_cluster, copy))
    assert_adopted(any_cluster, copy, revision, head)


def test_made_by_create_all(
    any_cluster: Cluster, make_database: MakeDatabase, head: Catalogue, replay: Replay
) -> None:
    """The models are those of head; so is what they make, also out of a dump."""
    original, copy = make_database(), make_database()
    Base.metadata.create_all(engine_for(any_cluster.url(original)))
    assert recognised(any_cluster, original, replay) == [(HISTORY[-1],)]
    restore(any_cluster, original, copy)
    migrate(described(any_cluster, copy))
    assert_adopted(any_cluster, copy, HISTORY[-1], head)


EXTENSION = """
CREATE EXTENSION vector;
CREATE TABLE layers (id serial PRIMARY KEY, name text UNIQUE);
CREATE TYPE mood AS ENUM ('good');
CREATE VIEW names AS SELECT name FROM layers;
CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER EXTENSION vector ADD TABLE layers;
ALTER EXTENSION vector ADD SEQUENCE layers_id_seq;
ALTER EXTENSION vector ADD TYPE mood;
ALTER EXTENSION vector ADD VIEW names;
ALTER EXTENSION vector ADD FUNCTION one();
"""


def test_beside_an_extension(
    any_cluster: Cluster, make_database: MakeDatabase, head: Catalogue
) -> None:
    """What belongs to an extension is neither compared nor a table of people's own."""
    database = make_database()
    make_at(any_cluster, database, "005")
    any_cluster.execute(EXTENSION, database)
    migrate(described(any_cluster, database))
    assert_adopted(any_cluster, database, "005", head)


def test_beyond_the_target(cluster: Cluster, database: str) -> None:
    """A state that would be refused after it was recorded is refused before that."""
    make_at(cluster, database, "005")
    with pytest.raises(SchemaPastError):
        migrate(described(cluster, database, "003"))
    assert recorded(cluster, database) == []


def test_an_empty_schema_of_the_role(
    cluster: Cluster, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The first schema of the search_path is the role's own, and nothing is in it."""
    make_at(cluster, database, "005")
    cluster.execute(f"CREATE SCHEMA {OWNER} AUTHORIZATION {OWNER}", database)
    cluster.execute("CREATE SCHEMA somebody; CREATE TABLE somebody.else (i int)", database)
    cluster.execute("CREATE TABLE extra (i int)", database)
    with pytest.raises(SchemaUnmanagedError, match="005 Voices is nearest, with 1 difference"):
        migrate(described(cluster, database))
    assert "005: table extra is unexpected" in caplog.messages


def test_several_are_equal(theirs: Theirs, caplog: pytest.LogCaptureFixture) -> None:
    """A revision of data alone changes no catalogue: somebody has to say which it is."""
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1", 'op.execute("INSERT INTO t_a1 VALUES (2)")', "pass")
    theirs.project.revision("c3", "b2")
    theirs.execute(made("a1"))
    assert theirs.refusal() == (
        "The schema is that of several revisions: a1 Foreign a1, b2 Foreign b2. "
        "Say which one it is: `inv adopt --revision b2`. Nothing was changed."
    )
    assert theirs.refusal("c3") == (
        "The schema is not that of c3 Foreign c3, with 2 differences. It is that of a1 Foreign "
        "a1, b2 Foreign b2: run `inv adopt` alone, or with one of these. Nothing was changed."
    )
    assert "c3: table t_c3 is missing" in caplog.messages
    with pytest.raises(ConfigurationError, match="'f00' is not a revision of this history"):
        theirs.adopt("f00")
    theirs.adopt("a")  # an unambiguous beginning, as everywhere
    assert theirs.revisions() == ["a1"]
    theirs.migrate()
    assert theirs.journal()[0] == "stamp a1 applied"
    assert theirs.query("SELECT id FROM t_a1") == [(2,)]


def test_several_are_equally_near(theirs: Theirs, caplog: pytest.LogCaptureFixture) -> None:
    """All are named, and how to see the differences to another one."""
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1", 'op.execute("CREATE TABLE t_b2 (b int)")')
    theirs.execute(f"{made('a1')}; CREATE TABLE t_b2 ()")
    assert theirs.refusal() == (
        "The schema is that of no revision; a1 Foreign a1, b2 Foreign b2 are equally near, with 1 "
        "difference. Change the schema by hand until it is that of a revision, or use an empty "
        "database. `inv adopt --dry-run --revision REV` shows the differences to another one. "
        "If none of these tables belongs to this history: `inv stamp --revision base`. "
        "Nothing was changed."
    )
    assert "b2: column t_b2.b is missing" in caplog.messages
    assert "The schema is not that of a1 Foreign a1, with 1 difference." in theirs.refusal("a1")
    assert "a1: table t_b2 is unexpected" in caplog.messages


ONE_UNIT = FOREIGN_ENV.replace(
    "with connectable.connect() as connection:", "with connectable.begin() as connection:"
)
BEGUN_LATER = FOREIGN_ENV.replace(
    "with context.begin_transaction():", "with connection.begin(), context.begin_transaction():"
)


@pytest.mark.parametrize("env", [ONE_UNIT, BEGUN_LATER], ids=["before", "after"])
def test_an_env_py_with_a_transaction_of_its_own(theirs: Theirs, env: str) -> None:
    """What a revision did is seen when that transaction has ended, and not before."""
    theirs.write_env(env)
    for revision, parent in (("a1", None), ("b2", "a1"), ("c3", "b2")):
        theirs.project.revision(revision, parent)
    theirs.execute(made("a1", "b2"))
    theirs.migrate()
    assert theirs.revisions() == ["c3"]
    assert "stamp b2 applied" in theirs.journal()


def test_branches(theirs: Theirs) -> None:
    """Both branches are there: both are recorded at once."""
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1")
    theirs.project.revision("c2", "a1")
    theirs.execute(made("a1", "b2", "c2"))
    theirs.project.revision("d3", ["b2", "c2"])
    theirs.migrate()
    assert sorted(theirs.journal()) == [
        "stamp b2 applied",
        "stamp c2 applied",
        "upgrade d3 applied",
    ]
    assert theirs.revisions() == ["d3"]


def test_another_schema(theirs: Theirs, caplog: pytest.LogCaptureFixture) -> None:
    """Schemas off the search_path count where the history works in them, and only there."""
    theirs.project.revision("a1")
    theirs.project.revision(
        "b2",
        "a1",
        """
        op.create_table("t_b2", sa.Column("id", sa.Integer, primary_key=True))
        op.execute("CREATE SCHEMA crm")
        op.execute("CREATE TABLE crm.t (i int)")
        """,
    )
    theirs.execute(f"{made('a1', 'b2')}; CREATE SCHEMA other; CREATE TABLE other.t (i int)")
    theirs.execute("CREATE SCHEMA crm; CREATE TABLE crm.t (i text)")
    assert "b2 Foreign b2 is nearest, with 1 difference." in theirs.refusal()
    assert "b2: crm.t.i: type is text, expected integer" in caplog.messages
    theirs.execute("DROP TABLE crm.t; CREATE TABLE crm.t (i int)")
    theirs.migrate()
    assert theirs.journal() == ["stamp b2 applied"]


APP = """
    op.execute("CREATE SCHEMA app")
    op.create_table("t_a1", sa.Column("id", sa.Integer, primary_key=True), schema="app")
    op.execute("SELECT current_setting('app.tenant')")
"""


@pytest.mark.parametrize("path", ["app, public", "app", "public, app"])
def test_settings_of_the_database(theirs: Theirs, path: str) -> None:
    """Where names are looked up, and whatever else it has set, it has as it is replayed, too."""
    theirs.cluster.execute(f"ALTER DATABASE {theirs.database} SET search_path = {path}")
    theirs.cluster.execute(f"ALTER DATABASE {theirs.database} SET app.tenant = 'x'")
    theirs.project.revision("a1", None, APP)
    theirs.project.revision("b2", "a1")
    schema = "public" if path.startswith("public") else "app"
    theirs.execute("CREATE SCHEMA app; CREATE TABLE app.t_a1 (id serial PRIMARY KEY)")
    theirs.execute(f"SET search_path = {schema}; {made('b2')}")
    theirs.adopt()
    assert theirs.query(f"SELECT * FROM {schema}.alembic_version") == [("b2",)]


def test_tables_of_others_alone(theirs: Theirs) -> None:
    """The refusal names the stamp of base; after it, and after a rollback to base, it migrates."""
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1")
    theirs.execute("CREATE TABLE celery_taskmeta ()")
    with pytest.raises(SchemaUnmanagedError, match="history: `inv stamp --revision base`"):
        theirs.migrate()
    stamp(theirs.boot, "base")
    assert (theirs.revisions(), theirs.journal()) == ([], ["stamp base applied"])
    theirs.migrate()
    assert theirs.revisions() == ["b2"]
    down = SchemaPolicy("base", rollback=True)
    migrate(replace(theirs.boot, schema=down))
    assert theirs.revisions() == []
    theirs.migrate()
    assert theirs.revisions() == ["b2"]

    # Only the journal is left, and it has revisions that stand on others.
    theirs.execute("DELETE FROM alembic_version")
    inspection = opened(theirs).inspect()
    assert inspection.state is SchemaState.UNMANAGED
    # A stamp of base ends what the journal had before.
    stamp(theirs.boot, "base")
    inspection = opened(theirs).inspect()
    assert (inspection.state, inspection.digest) == (SchemaState.BEHIND, "")


def test_a_journal_that_began_late(theirs: Theirs) -> None:
    """A downgrade to a revision that the journal does not have is no downgrade to base."""
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1")
    theirs.migrate()
    theirs.execute("DELETE FROM schema_journal WHERE revision = 'a1'")
    migrate(replace(theirs.boot, schema=SchemaPolicy("a1", rollback=True)))
    theirs.execute("DELETE FROM alembic_version")
    theirs.migrate()
    assert theirs.journal()[-2:] == ["stamp a1 applied", "upgrade b2 applied"]


def test_a_schema_that_was_made_by_hand(theirs: Theirs) -> None:
    """The history's tables are in it, though the history does not make it."""
    theirs.cluster.execute(f"ALTER DATABASE {theirs.database} SET search_path = app")
    theirs.project.revision("a1")
    theirs.execute(f"CREATE SCHEMA app; SET search_path = app; {made('a1')}")
    theirs.adopt()
    assert theirs.query("SELECT * FROM app.alembic_version") == [("a1",)]


def test_an_extension_of_the_history(
    cluster: Cluster, theirs: Theirs, caplog: pytest.LogCaptureFixture
) -> None:
    """A revision that makes one was not applied where there is none."""
    cluster.execute(f"ALTER ROLE {OWNER} SUPERUSER")  # who may make any extension
    try:
        theirs.project.revision("a1")
        theirs.project.revision(
            "b2",
            "a1",
            """
            op.execute("CREATE EXTENSION vector")
            op.create_table("t_b2", sa.Column("id", sa.Integer, primary_key=True))
            """,
        )
        theirs.execute(made("a1", "b2"))
        assert "b2 Foreign b2 is nearest, with 1 difference." in theirs.refusal()
        assert "b2: extension vector is missing" in caplog.messages
        theirs.execute("CREATE EXTENSION vector")
        theirs.adopt()
    finally:
        cluster.execute(f"ALTER ROLE {OWNER} NOSUPERUSER")
    assert theirs.journal() == ["stamp b2 applied"]


OTHERS = {
    "CREATE STATISTICS s ON id, name FROM t_b2": "statistics object s",
    "CREATE COLLATION c (locale = 'C')": "collation c",
    "CREATE OPERATOR <<->> (leftarg = int, rightarg = int, function = int4pl)": (
        "operator <<->>(integer,integer)"
    ),
    "CREATE TEXT SEARCH CONFIGURATION f (copy = simple)": "text search configuration f",
    "CREATE TEXT SEARCH DICTIONARY d (template = simple)": "text search dictionary d",
    "CREATE CONVERSION v FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8": "conversion v",
}


def test_what_is_known_by_name(theirs: Theirs, caplog: pytest.LogCaptureFixture) -> None:
    """What the history makes of other kinds has to be there; what is there besides may be."""
    theirs.project.revision("a1")
    theirs.project.revision(
        "b2",
        "a1",
        "\n".join(
            f"op.execute({it!r})" for it in ("CREATE TABLE t_b2 (id int, name int)", *OTHERS)
        ),
    )
    theirs.execute(f"{made('a1')}; CREATE TABLE t_b2 (id int, name int)")
    what = f"not that of b2 Foreign b2, with {len(OTHERS)} differences."
    assert what in theirs.refusal("b2")
    assert sorted(f"b2: {name} is missing" for name in OTHERS.values()) == sorted(
        it.getMessage() for it in caplog.records if it.levelname == "ERROR"
    )
    theirs.execute("; ".join(OTHERS))
    theirs.execute("CREATE STATISTICS own ON id, name FROM t_b2")
    theirs.adopt()
    assert theirs.journal() == ["stamp b2 applied"]


def test_a_history_that_does_not_run(theirs: Theirs) -> None:
    """What needs rows that a scratch does not have is named."""
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1", 'op.execute("SELECT 1 / count(*) FROM t_a1")')
    theirs.execute(made("a1"))
    refusal = theirs.refusal()
    assert "cannot be determined: Migration b2 Foreign b2 failed: b2_test" in refusal
    assert "division by zero" in refusal
    assert "Or record it yourself with `inv stamp --revision REVISION`." in refusal


def test_an_env_py_that_commits_nothing(theirs: Theirs) -> None:
    """It would be replayed for ever."""
    theirs.write_env(f"{ONE_UNIT}    connection.rollback()\n")
    theirs.project.revision("a1")
    theirs.execute(made("a1"))
    assert "env.py reported success and committed nothing." in theirs.refusal()
