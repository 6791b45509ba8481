"""Projects whose tables are off the search_path: what counts of a database, and is adopted."""

from pathlib import Path

import pytest

from alembic_boot.environment.opening import open_project
from alembic_boot.errors import BootError, ConfigurationError, HistoryBrokenError
from alembic_boot.state.schema import open_schema
from tests.boot.adoption.unmanaged import Theirs
from tests.cluster import Cluster
from tests.scenarios.process import FOREIGN_ENV

pytestmark = pytest.mark.slow

TABLE = 'op.create_table("t", sa.Column("id", sa.Integer, primary_key=True){})'
IN_APP = TABLE.format(', schema="app"')
MADE = "CREATE TABLE {}.t (id serial PRIMARY KEY)"

CONFIGURE = "context.configure(connection=connection, target_metadata=None"


def configuring(options: str, before: str = "") -> str:
    """Return an env.py that passes these options, after these statements."""
    assert CONFIGURE in FOREIGN_ENV
    return FOREIGN_ENV.replace(CONFIGURE, f"{before}{CONFIGURE}{options}")


def tenant(path: str) -> str:
    """Return an env.py that works with a search_path of its own."""
    return configuring(
        "",
        f"connection.exec_driver_sql('SET search_path = {path}')\n    connection.commit()\n    ",
    )


MODELS = "from sqlalchemy import Column, Integer, MetaData, Table\n" + FOREIGN_ENV.replace(
    "config = context.config",
    "config = context.config\n"
    'one, two = MetaData(schema="app"), MetaData()\n'
    'Table("t", one, Column("id", Integer, primary_key=True))\n'
    'Table("u", two, schema="per_tenant")\n',
).replace("target_metadata=None", "target_metadata=[one, two]").replace(
    "engine_from_config(",
    'engine_from_config(\n    execution_options={"schema_translate_map": {"per_tenant": "blue"}},\n'
    "    configuration=",
)


@pytest.fixture
def theirs(
    tmp_path: Path, cluster: Cluster, database: str, caplog: pytest.LogCaptureFixture
) -> Theirs:
    """Give a project without revisions, beside an empty database."""
    caplog.set_level("INFO")
    return Theirs(tmp_path, cluster, database)


def state(theirs: Theirs) -> str:
    """Return the state, with the tables that count in it."""
    boot = theirs.boot
    url = boot.migration_database_url
    inspection = open_schema(url, open_project(boot.alembic_config, url), boot.schema).inspect()
    return " ".join((inspection.state.value, *inspection.tables))


def recorded(theirs: Theirs, schema: str = "public") -> list[object]:
    rows = theirs.query(f"SELECT version_num FROM {schema}.alembic_version")
    return [row for (row,) in rows]


OTHERS = """
CREATE SCHEMA crm; CREATE TABLE crm.users (id serial PRIMARY KEY); CREATE TABLE crm.t (x int);
CREATE SCHEMA auth; CREATE TABLE auth.users (id serial PRIMARY KEY)
"""


def test_that_the_history_names(theirs: Theirs, caplog: pytest.LogCaptureFixture) -> None:
    """Its tables are adopted; other people's schemas count neither before nor meanwhile."""
    theirs.project.revision("a1", None, f'op.execute("CREATE SCHEMA app")\n{IN_APP}')
    theirs.execute(OTHERS)
    assert state(theirs) == "empty"
    theirs.execute(f"CREATE SCHEMA app; {MADE.format('app')}")
    assert state(theirs) == "unmanaged app.t"
    theirs.migrate()
    assert (recorded(theirs), theirs.journal()) == (["a1"], ["stamp a1 applied"])
    theirs.project.revision("b2", "a1")
    theirs.migrate()
    assert "Tables: app.t, t_b2" in caplog.messages


def test_on_an_empty_database(theirs: Theirs, caplog: pytest.LogCaptureFixture) -> None:
    """They are made, beside other people's, and listed with parents first."""
    theirs.execute(OTHERS)
    theirs.project.revision(
        "a1",
        None,
        f"""
        op.execute("CREATE SCHEMA app")
        {IN_APP}
        op.execute("CREATE TABLE a_child (t int REFERENCES app.t)")
        """,
    )
    theirs.migrate()
    assert recorded(theirs) == ["a1"]
    assert "Tables: app.t, a_child" in caplog.messages


@pytest.mark.parametrize(
    ("body", "refusal", "said"),
    [
        ("schema = ", HistoryBrokenError, "a1_test.py, line "),
        ("op.create_table('t', schema=name)", ConfigurationError, "needs the package nowhere"),
    ],
)
def test_a_revision_that_cannot_be_read(
    theirs: Theirs, body: str, refusal: type[BootError], said: str
) -> None:
    """It is refused, though nothing was to run yet."""
    theirs.project.revision("a1", None, body, constants="from nowhere import name")
    theirs.execute(OTHERS)
    with pytest.raises(refusal, match=said):
        state(theirs)


def test_that_is_like_no_revision(theirs: Theirs, caplog: pytest.LogCaptureFixture) -> None:
    """What is more in such a schema is seen as well."""
    theirs.project.revision("a1", None, f'op.execute("CREATE SCHEMA app")\n{IN_APP}')
    theirs.execute(f"CREATE SCHEMA app; {MADE.format('app')}; CREATE TABLE app.more ()")
    assert "a1 Foreign a1 is nearest, with 1 difference." in theirs.refusal()
    assert "a1: table app.more is unexpected" in caplog.messages


def test_that_only_the_models_name(theirs: Theirs) -> None:
    """Also where SQLAlchemy renames it, and where one MetaData of several does so."""
    theirs.write_env(MODELS)
    theirs.project.revision("a1", None, "pass", "pass")
    theirs.execute(f"{OTHERS}; CREATE SCHEMA per_tenant; CREATE TABLE per_tenant.u ()")
    assert state(theirs) == "empty"
    theirs.execute(f"CREATE SCHEMA app; {MADE.format('app')}")
    theirs.execute("CREATE SCHEMA blue; CREATE TABLE blue.u ()")
    assert state(theirs) == "unmanaged app.t blue.u"
    assert "with 3 differences" in theirs.refusal()


def test_that_the_models_only_refer_to(theirs: Theirs) -> None:
    """Declared for a foreign key, and somebody else's."""
    theirs.write_env(MODELS)
    theirs.execute(f"CREATE SCHEMA app; {MADE.format('app')}")
    body = 'op.execute("CREATE TABLE u (t int REFERENCES app.t)")'
    theirs.project.revision("a1", None, body)
    assert state(theirs) == "empty"
    theirs.migrate()
    assert recorded(theirs) == ["a1"]


def test_of_the_version_table(theirs: Theirs, caplog: pytest.LogCaptureFixture) -> None:
    """Tables beside it count, wherever it is; the version tables of others do not."""
    theirs.write_env(configuring(', version_table_schema="app"', ""))
    body = "import os\nop.create_table('t', sa.Column('id', sa.Integer, primary_key=True), schema="
    theirs.project.revision("a1", None, f"{body}''.join(['a', 'pp']))")
    theirs.execute("CREATE SCHEMA app; CREATE TABLE app.other_version (version_num text)")
    assert state(theirs) == "empty"
    theirs.execute(f"DROP TABLE app.other_version; {MADE.format('app')}")
    assert state(theirs) == "unmanaged app.t"
    theirs.execute("DROP TABLE app.t")
    theirs.migrate()
    assert recorded(theirs, "app") == ["a1"]
    assert "Tables: app.t" in caplog.messages


def test_of_a_version_table_with_a_full_database(theirs: Theirs) -> None:
    """It is adopted, and not migrated from base once more."""
    theirs.write_env(configuring(', version_table_schema="App Two"'))
    theirs.project.revision("a1", None, TABLE.format(', schema="App Two"'))
    theirs.project.revision("b2", "a1")
    # A replay starts without the schema, as Alembic itself does.
    theirs.write_env(
        configuring(
            ', version_table_schema="App Two"',
            "connection.exec_driver_sql('CREATE SCHEMA IF NOT EXISTS \"App Two\"')\n"
            "    connection.commit()\n    ",
        )
    )
    theirs.execute('CREATE SCHEMA "App Two"; CREATE TABLE "App Two".t (id serial PRIMARY KEY)')
    assert state(theirs) == "unmanaged App Two.t"
    theirs.migrate()
    assert recorded(theirs, '"App Two"') == ["b2"]


def test_of_a_search_path_of_env_py(theirs: Theirs, caplog: pytest.LogCaptureFixture) -> None:
    """Only where env.py looks for names do tables count: each tenant is a schema of its own."""
    theirs.project.revision("a1")
    theirs.execute("CREATE SCHEMA blue; CREATE SCHEMA green; CREATE TABLE public.shared ()")
    theirs.write_env(tenant("blue"))
    assert state(theirs) == "empty"
    theirs.migrate()
    assert "Tables: t_a1" in caplog.messages
    theirs.write_env(tenant("green"))
    assert state(theirs) == "empty"
    theirs.execute("CREATE TABLE green.t_a1 (id serial PRIMARY KEY)")
    assert state(theirs) == "unmanaged t_a1"
    # The scratch has to have it as well: a replay runs env.py as it is.
    theirs.write_env(
        tenant("green").replace("'SET search", "'CREATE SCHEMA IF NOT EXISTS green; SET search")
    )
    theirs.migrate()
    assert recorded(theirs, "green") == ["a1"]


def test_of_two_projects(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """In one database, each with its own version table: neither is in the other's way."""
    for name in ("one", "two"):
        theirs = Theirs(tmp_path / name, cluster, database)
        theirs.write_env(
            configuring(
                f', version_table_schema="{name}"',
                f"connection.exec_driver_sql('CREATE SCHEMA IF NOT EXISTS {name}')\n"
                "    connection.commit()\n    ",
            )
        )
        theirs.project.revision("a1", None, TABLE.format(f', schema="{name}"'))
        assert state(theirs) == "empty"
        theirs.migrate()
        assert recorded(theirs, name) == ["a1"]


def test_a_schema_of_the_version_table_that_does_not_exist(theirs: Theirs) -> None:
    """It is said, with what makes it."""
    theirs.write_env(configuring(', version_table_schema="records"'))
    theirs.project.revision("a1")
    with pytest.raises(BootError) as caught:
        theirs.migrate()
    assert "records" in str(caught.value)
