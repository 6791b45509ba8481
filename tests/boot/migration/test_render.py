"""A rendered script does to a database what migrating does, or there is none."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from alembic_boot.adoption.comparison import compare
from alembic_boot.description import AlembicConfig, BootDescription, SchemaPolicy
from alembic_boot.errors import MigrationFailedError
from alembic_boot.migration.migrate import migrate
from alembic_boot.migration.render import render_sql
from backend.settings import load_settings
from tests.cluster import OWNER, Cluster
from tests.migrations.migrated import read_schema
from tests.scenarios.process import FOREIGN_ENV, ForeignProject

pytestmark = pytest.mark.slow  # together they take ten seconds

MakeDatabase = Callable[[], str]


@pytest.fixture
def make_database(cluster: Cluster) -> Iterator[MakeDatabase]:
    """Give what makes empty databases, and returns their names."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(cluster.database())


@dataclass(frozen=True)
class Theirs:
    """Somebody's project beside its database."""

    project: ForeignProject
    cluster: Cluster
    database: str

    def sql(self, target: str | None = None, *, rollback: bool = False) -> str:
        """Return the script for the database as it is now."""
        return render_sql(replace(self._boot, schema=SchemaPolicy(target, rollback=rollback)))

    def migrate(self, target: str | None = None, *, rollback: bool = False) -> None:
        """Migrate the database."""
        migrate(replace(self._boot, schema=SchemaPolicy(target, rollback=rollback)))

    def execute(self, script: str) -> None:
        """Run a script as the owner."""
        self.cluster.execute(f"SET ROLE {OWNER};\n{script}", self.database)

    def revisions(self, table: str = "alembic_version") -> list[object]:
        """Return the recorded revisions."""
        rows = self.cluster.query(f"SELECT version_num FROM {table} ORDER BY 1", self.database)
        return [revision for (revision,) in rows]

    @property
    def _boot(self) -> BootDescription:
        url = {"DATABASE_URL": self.cluster.url(self.database)}
        description = load_settings(url, Path("/nonexistent")).description()
        return replace(description, alembic_config=AlembicConfig(self.project.config))


@pytest.fixture
def theirs(tmp_path: Path, cluster: Cluster, database: str) -> Theirs:
    """Give a project without revisions, beside an empty database."""
    return Theirs(ForeignProject(tmp_path / "theirs"), cluster, database)


def with_env(theirs: Theirs, env: str) -> Theirs:
    (theirs.project.folder / "scripts" / "env.py").write_text(env, encoding="utf-8")
    return theirs


def assert_same(theirs: Theirs, make_database: MakeDatabase, query: str = "SELECT 1") -> str:
    """Run the script here and migrate elsewhere: schema, revisions and rows must be the same."""
    elsewhere = replace(theirs, database=make_database())
    elsewhere.migrate("heads")
    script = theirs.sql("heads")
    theirs.execute(script)
    found = read_schema(theirs.cluster, theirs.database)
    assert compare(found, read_schema(theirs.cluster, elsewhere.database)) == ()
    assert theirs.revisions() == elsewhere.revisions()
    rows = theirs.cluster.query(query, theirs.database)
    assert rows == theirs.cluster.query(query, elsewhere.database)
    return script


VALUES = r"""
from datetime import UTC, datetime
t = op.create_table(
    "t",
    sa.Column("text", sa.Text),
    sa.Column("bytes", sa.LargeBinary),
    sa.Column("time", sa.DateTime(True)),
)
op.bulk_insert(t, [
    {"text": r"it's 100 % of C:\new", "bytes": b"\\x00'\xff"},
])
op.execute("INSERT INTO t (text) VALUES ('a\tb')")
op.execute("INSERT INTO t (text) VALUES ('50%') -- by half")
op.execute("UPDATE t SET text = text || '!' WHERE text LIKE '%\\%'")
op.execute(t.insert().values(text="é :x", time=datetime(2026, 3, 1, 12, tzinfo=UTC)))
op.execute(sa.text("INSERT INTO t (text, bytes) VALUES (:x, :y)").bindparams(x="y%", y=b"\\"))
op.get_bind().execute(t.update().where(t.c.text.in_(["y%", "z"])).values(text="in"))
"""


def test_values(theirs: Theirs, make_database: MakeDatabase) -> None:
    """Every value arrives as it would by migrating, whatever SQL or a driver makes of it."""
    theirs.project.revision("a1", None, VALUES)
    assert_same(theirs, make_database, "SELECT text, bytes::text, time FROM t ORDER BY 1")


def test_ddl(theirs: Theirs, make_database: MakeDatabase) -> None:
    """What is made through the connection is made by the script."""
    theirs.project.revision(
        "a1",
        None,
        """
        sa.Enum("a", "b", name="kind").create(op.get_bind())
        metadata = sa.MetaData()
        sa.Table("t", metadata, sa.Column("i", sa.Integer, sa.Computed("1 + 1", persisted=True)))
        metadata.create_all(op.get_bind())
        op.execute("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$")
        op.execute("COMMENT ON TABLE t IS '100%'")
        op.create_check_constraint("whole", "t", "i % 2 = 0")
        """,
    )
    assert_same(theirs, make_database)


@pytest.mark.parametrize("at", ["a1", "b1", "b2", "c1"])
def test_branches(theirs: Theirs, make_database: MakeDatabase, at: str) -> None:
    """From every place of a tangled history, with several rows recorded there."""
    theirs.project.revision("a1")
    theirs.project.revision("b1", "a1")
    theirs.project.revision("b2", "a1")
    theirs.project.revision("c1", ("b1", "b2"))
    theirs.project.revision("x1")
    theirs.project.revision("x2", "x1", constants='depends_on = "b2"')
    theirs.migrate(at)
    assert_same(theirs, make_database)


def test_several_rows(theirs: Theirs, make_database: MakeDatabase) -> None:
    """Two branches that are both under way are merged."""
    theirs.project.revision("a1")
    theirs.project.revision("b1", "a1")
    theirs.project.revision("b2", "a1")
    theirs.migrate("heads")
    theirs.project.revision("c1", ("b1", "b2"))
    assert theirs.revisions() == ["b1", "b2"]
    assert_same(theirs, make_database)
    theirs.execute(theirs.sql("a1", rollback=True))
    assert theirs.revisions() == ["a1"]


def test_autocommit_block(theirs: Theirs) -> None:
    """The script leaves the transaction for it, and takes up another one."""
    theirs.project.revision(
        "a1",
        None,
        """
        op.create_table("t", sa.Column("i", sa.Integer))
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY ix ON t (i)")
        """,
    )
    for statement in theirs.sql().split(";\n\n"):  # a connection of its own each: no BEGIN here
        if "BEGIN" not in statement and "COMMIT" not in statement:
            theirs.cluster.execute(statement, theirs.database)
    assert theirs.revisions() == ["a1"]
    assert theirs.cluster.query("SELECT to_regclass('ix') IS NOT NULL", theirs.database) == [
        (True,)
    ]


def test_each_revision_is_a_transaction(theirs: Theirs) -> None:
    """One that fails keeps those before it, also where env.py wants it otherwise."""
    with_env(
        theirs,
        FOREIGN_ENV.replace("target_metadata=None", "transactional_ddl=False, literal_binds=False"),
    )
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1", 'op.create_table("t_b2"); op.execute("SELECT 1 / 0")')
    script = theirs.sql()
    assert (script.count("BEGIN;"), script.count("COMMIT;")) == (2, 2)
    with pytest.raises(Exception, match="division by zero"):
        theirs.execute(script)
    assert theirs.revisions() == ["a1"]
    assert theirs.cluster.query("SELECT to_regclass('t_b2')", theirs.database) == [(None,)]


@pytest.mark.parametrize("condition", ["op.get_context().as_sql", "context.is_offline_mode()"])
def test_guarded(theirs: Theirs, condition: str) -> None:
    """A revision that knows of offline mode says itself what is written there."""
    theirs.project.revision(
        "a1",
        None,
        f"""
        from alembic import context
        if {condition}:
            op.execute("CREATE TABLE offline ()")
        else:
            op.execute("CREATE TABLE online ()")
        """,
    )
    assert "CREATE TABLE offline ();" in theirs.sql()
    assert "online" not in theirs.sql()


BIND = "op.get_bind().execute"
SELECT = 'sa.text("SELECT 1")'
RETURNS = "it reads what a statement returns, which is known only when it runs"

UNRENDERABLE = [
    (f"{BIND}({SELECT}).scalar()", RETURNS),
    (f"for row in {BIND}({SELECT}): pass", RETURNS),
    (f"if {BIND}({SELECT}): pass", RETURNS),
    (f"n = {BIND}({SELECT}).rowcount", RETURNS),
    (f"rows = {BIND}({SELECT}).fetchall() or []", RETURNS),
    (
        f'{BIND}(sa.text("SELECT :x"), {{"x": 1}})',
        "parameters of execute() are not written; use bindparams() instead",
    ),
    (
        f'{BIND}(sa.table("t", sa.column("x")).insert(), [{{"x": 1}}])',
        "parameters of execute() are not written; use bindparams() instead",
    ),
    (
        't = sa.table("t", sa.column("x", sa.JSON))\nop.bulk_insert(t, [{"x": [1]}])',
        "CompileError: No literal value renderer is available for literal value …",
    ),
    ('op.execute("UPDATE t SET x = :x")', "InvalidRequestError: A value is required for bind …"),
    (
        't = sa.Table("t", sa.MetaData(), sa.Column("x", default=lambda: 1), sa.Column("y"))\n'
        "op.execute(t.insert().values(y=sa.text('1')))",
        "t.x has a default that Python makes",
    ),
    ("sa.inspect(op.get_bind())", "NoInspectionAvailable: …"),
    (
        'op.get_bind().scalar(sa.text("SELECT 1"))',
        "AttributeError: there is no database to ask by Connection.scalar",
    ),
    (
        "from sqlalchemy.orm import Session\nSession(op.get_bind()).scalar(sa.text('SELECT 1'))",
        "AttributeError: …",
    ),
    ('raise RuntimeError("no kettle")', "RuntimeError: no kettle"),
    ("raise SystemExit(0)", "SystemExit: 0"),
]


@pytest.mark.parametrize(("upgrade", "cause"), UNRENDERABLE)
def test_unrenderable(theirs: Theirs, upgrade: str, cause: str) -> None:
    """What needs a database is said by name and line, and never written wrongly."""
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1", upgrade)
    with pytest.raises(MigrationFailedError) as caught:
        theirs.sql()
    begin, _, rest = str(caught.value).partition(", line ")
    assert begin == "Migration b2 Foreign b2 cannot be rendered as SQL: b2_test.py"
    where, _, found = rest.partition(": ")
    assert where.isdigit()
    end = ". It needs a database to run on, which `inv migrate` gives it. Nothing was changed."
    assert found.endswith(end)
    expected = cause.removesuffix("…")
    assert found.startswith(expected if expected != cause else expected + end)
    assert theirs.cluster.query("SELECT to_regclass('t_a1')", theirs.database) == [(None,)]


def test_an_empty_version_table(theirs: Theirs) -> None:
    """One that a rollback has left is not made again."""
    theirs.project.revision("a1")
    theirs.migrate()
    theirs.migrate("base", rollback=True)
    script = theirs.sql()
    assert "CREATE TABLE alembic_version" not in script
    theirs.execute(script)
    assert theirs.revisions() == ["a1"]
    theirs.execute(theirs.sql("base", rollback=True))
    assert theirs.revisions() == []


@pytest.mark.parametrize("is_there", [False, True])
def test_a_version_table_elsewhere(theirs: Theirs, is_there: bool) -> None:
    """It is found also where only env.py's branch with a connection names it."""
    theirs.cluster.execute(f"CREATE SCHEMA meta AUTHORIZATION {OWNER}", theirs.database)
    named = 'version_table="applied", version_table_schema="meta"'
    with_env(
        theirs,
        "from alembic import context\n"
        "if context.is_offline_mode():\n"
        '    context.configure(dialect_name="postgresql")\n'
        "    context.run_migrations()\n"
        "    raise SystemExit\n" + FOREIGN_ENV.replace("target_metadata=None", named),
    )
    theirs.project.revision("a1")
    if is_there:
        theirs.migrate()
        theirs.migrate("base", rollback=True)
    theirs.execute(theirs.sql())
    assert theirs.revisions("meta.applied") == ["a1"]
    assert theirs.cluster.query("SELECT to_regclass('alembic_version')", theirs.database) == [
        (None,)
    ]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_search_path_of_its_own(theirs: Theirs, is_there: bool) -> None:
    """What env.py sets in its session, the script sets."""
    theirs.cluster.execute(f'CREATE SCHEMA "the Tenant" AUTHORIZATION {OWNER}', theirs.database)
    with_env(
        theirs,
        FOREIGN_ENV.replace(
            "    context.configure(",
            "    connection.exec_driver_sql('SET search_path = \"the Tenant\", public')\n"
            "    connection.commit()\n    context.configure(",
        ),
    )
    theirs.project.revision("a1")
    if is_there:
        theirs.migrate()
        theirs.migrate("base", rollback=True)
    theirs.execute(theirs.sql())
    assert theirs.revisions('"the Tenant".alembic_version') == ["a1"]
    theirs.migrate()


def test_a_role_of_its_own(theirs: Theirs) -> None:
    """What env.py becomes, the script becomes: the tables are that role's."""
    role = f"maker_{uuid4().hex[:8]}"
    cluster, database = theirs.cluster, theirs.database
    cluster.execute(f"CREATE ROLE {role}")
    try:
        cluster.execute(f"GRANT {role} TO {OWNER}")
        cluster.execute(f"GRANT CREATE ON SCHEMA public TO {role}", database)
        with_env(
            theirs,
            FOREIGN_ENV.replace(
                "    context.configure(",
                f'    connection.exec_driver_sql("SET ROLE {role}")\n'
                "    connection.commit()\n    context.configure(",
            ),
        )
        theirs.project.revision("a1")
        theirs.execute(theirs.sql())
        owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        assert cluster.query(owners, database) == [(role,)]
    finally:
        cluster.execute(f"DROP OWNED BY {role}", database)
        cluster.execute(f"DROP ROLE {role}")


def test_an_env_without_offline_mode(theirs: Theirs) -> None:
    """One that runs nothing there gives no script, rather than an empty one."""
    env = "from alembic import context\nif context.is_offline_mode(): raise SystemExit\n"
    with_env(theirs, env + FOREIGN_ENV)
    theirs.project.revision("a1")
    with pytest.raises(MigrationFailedError, match="runs 0 of 1 revisions in Alembic's offline"):
        theirs.sql()
    env = "from alembic import context\nif context.is_offline_mode(): raise RuntimeError('no')\n"
    with_env(theirs, env + FOREIGN_ENV)
    with pytest.raises(MigrationFailedError) as caught:
        theirs.sql()
    assert str(caught.value) == (
        "Alembic's env.py failed in offline mode: env.py, line 2: RuntimeError: no. "
        "Fix it, or use `inv migrate`. Nothing was changed."
    )
