"""Whatever env.py and the revisions do in a replay, the real database is not changed by it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.boot.adoption.unmanaged import Theirs, made
from tests.cluster import OWNER, Cluster
from tests.scenarios.process import FOREIGN_ENV

pytestmark = pytest.mark.slow

ELSEWHERE = "opens a connection to another database than the one it was given."

REAL = "REAL_DATABASE"
"""A variable of the application's own: boot does not know it."""

OF_ITS_OWN_MIND = FOREIGN_ENV.replace(
    "config.get_section(config.config_ini_section, {})",
    f'{{"sqlalchemy.url": __import__("os").environ["{REAL}"]}}',
)

# SQLAlchemy does not hear where this engine logs in.
WITH_A_CREATOR = FOREIGN_ENV.replace(
    "with connectable.connect()",
    "import os, psycopg2, sqlalchemy\n"
    f"real = os.environ['{REAL}'].replace('+psycopg2', '')\n"
    "connectable = sqlalchemy.create_engine(\n"
    "    'postgresql+psycopg2://', creator=lambda: psycopg2.connect(real)\n"
    ")\n"
    "with connectable.connect()",
)

# The right database at first, which is when it is asked; and another one when it counts.
FICKLE = FOREIGN_ENV.replace(
    "config = context.config\n",
    "config = context.config\n"
    "import os, sys\n"
    "sys.turns = getattr(sys, 'turns', 0) + 1\n"
    "if sys.turns > int(os.environ['TURNS']):\n"
    f"    config.set_main_option('sqlalchemy.url', os.environ['{REAL}'])\n",
)

# Something on the side before Alembic is even configured; it does so on the scratch only, for what
# it does at each run is nobody else's doing.
BUSY = FOREIGN_ENV.replace(
    "with connectable.connect() as connection:",
    "import os, sqlalchemy\n"
    "if '_scratch_' in config.get_main_option('sqlalchemy.url'):\n"
    f"    with sqlalchemy.create_engine(os.environ['{REAL}']).begin() as other:\n"
    "        other.exec_driver_sql('DELETE FROM t_a1')\n"
    "with connectable.connect() as connection:",
)

ASYNC = """
import asyncio, os
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

def run(connection):
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    url = {url}.replace("+psycopg2", "+asyncpg").replace("postgresql:", "postgresql+asyncpg:")
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()

asyncio.run(main())
"""


@pytest.fixture
def theirs(
    tmp_path: Path, cluster: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> Theirs:
    """Give a project of two revisions beside a database that is at the first, with a row."""
    theirs = Theirs(tmp_path, cluster, database)
    url = cluster.url(database).replace("postgresql:", "postgresql+psycopg2:")
    monkeypatch.setenv(REAL, url)
    theirs.project.revision("a1")
    theirs.execute(f"{made('a1')}; INSERT INTO t_a1 VALUES (1)")
    return theirs


def assert_untouched(theirs: Theirs) -> None:
    """Fail unless the real database has what it had, and nothing more."""
    assert theirs.query("SELECT id FROM t_a1") == [(1,)]
    assert theirs.query("SELECT relname FROM pg_class WHERE relname IN ('trace', 't_b2')") == []
    assert theirs.revisions() == []


def test_an_env_py_that_goes_elsewhere(theirs: Theirs) -> None:
    """It is found out before it has said a word there."""
    theirs.write_env(WITH_A_CREATOR)
    theirs.project.revision("b2", "a1", 'op.execute("CREATE TABLE trace (i int)")')
    assert f"Alembic's env.py {ELSEWHERE}" in theirs.refusal()
    assert_untouched(theirs)


def test_an_env_py_that_is_busy_on_the_side(theirs: Theirs) -> None:
    """It looks for its table in the scratch database, which has none yet."""
    theirs.write_env(BUSY)
    assert 'relation "t_a1" does not exist' in theirs.refusal()
    assert_untouched(theirs)


def test_an_env_py_with_settings_of_its_own(theirs: Theirs) -> None:
    """Its logins are led to the scratch database, and the real one is adopted."""
    theirs.write_env(OF_ITS_OWN_MIND)
    theirs.project.revision("b2", "a1", 'op.execute("CREATE TABLE trace (i int)")')
    theirs.adopt()
    assert theirs.revisions() == ["a1"]
    assert_untouched_but_recorded(theirs)


def test_an_async_env_py_with_settings_of_its_own(theirs: Theirs) -> None:
    """The driver makes no difference."""
    theirs.write_env(ASYNC.format(url=f"os.environ['{REAL}']"))
    theirs.project.revision("b2", "a1", 'op.execute("CREATE TABLE trace (i int)")')
    theirs.adopt()
    assert theirs.revisions() == ["a1"]
    assert_untouched_but_recorded(theirs)


@pytest.mark.parametrize("turns", range(1, 5))
def test_a_fickle_env_py(theirs: Theirs, monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    """One that goes to the real database at any later turn changes nothing there."""
    import sys

    monkeypatch.setattr(sys, "turns", 0, raising=False)
    monkeypatch.setenv("TURNS", str(turns))
    theirs.write_env(FICKLE)
    theirs.project.revision("b2", "a1", 'op.execute("CREATE TABLE trace (i int)")')
    theirs.adopt()
    assert theirs.revisions() == ["a1"]
    assert_untouched_but_recorded(theirs)
    assert theirs.query("SELECT id FROM t_a1") == [(1,)]


OWN_ENGINE = f"""
import os
with sa.create_engine(os.environ["{REAL}"]).begin() as connection:
    connection.exec_driver_sql("DELETE FROM t_a1")
"""

LEFT_OVER = f"""
import os, sys
engine = sys.modules.setdefault("theirs_engine", sa.create_engine(os.environ["{REAL}"]))
with engine.begin() as connection:
    connection.exec_driver_sql("DELETE FROM t_a1")
"""


@pytest.mark.parametrize("upgrade", [OWN_ENGINE, LEFT_OVER], ids=["new", "imported"])
def test_a_revision_with_an_engine_of_its_own(
    theirs: Theirs, monkeypatch: pytest.MonkeyPatch, upgrade: str
) -> None:
    """The application's engine is led away from the real rows, also if it is connected already."""
    import os
    import sys
    from typing import Any

    import sqlalchemy as sa

    engine: Any = sa.create_engine(os.environ[REAL])
    with engine.connect():
        pass
    monkeypatch.setitem(sys.modules, "theirs_engine", engine)
    theirs.project.revision("b2", "a1", f"{upgrade}\nop.execute('CREATE TABLE t_b2 ()')")
    theirs.adopt()
    assert theirs.revisions() == ["a1"]
    assert_untouched_but_recorded(theirs)
    with engine.connect() as connection:  # nothing of the scratch is left in its pool
        assert connection.exec_driver_sql("SELECT count(*) FROM t_a1").scalar() == 1
    engine.dispose()


def test_a_revision_with_another_kind_of_database(theirs: Theirs, tmp_path: Path) -> None:
    """Nobody can tell where that is."""
    theirs.project.revision(
        "b2", "a1", f'sa.create_engine("sqlite:///{tmp_path}/file").connect().close()'
    )
    assert "whose database cannot be identified (OperationalError)." in theirs.refusal()
    assert_untouched(theirs)


def test_a_revision_that_names_its_schema(theirs: Theirs) -> None:
    """`public` is the scratch database's."""
    theirs.project.revision(
        "b2",
        "a1",
        """
        op.execute("DELETE FROM public.t_a1")
        op.execute("CREATE TABLE public.t_b2 (id int)")
        op.execute("COMMIT")
        op.execute("DROP TABLE public.t_a1")
        """,
    )
    theirs.adopt()
    assert theirs.revisions() == ["a1"]
    assert_untouched_but_recorded(theirs)


def assert_untouched_but_recorded(theirs: Theirs) -> None:
    assert theirs.query("SELECT id FROM t_a1") == [(1,)]
    assert theirs.query("SELECT relname FROM pg_class WHERE relname IN ('trace', 't_b2')") == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE ROLE {role}", "CREATE ROLE {role}"),
        ("DO $$ BEGIN CREATE USER {role}; END $$", "CREATE USER {role}"),
        ("DO $$ BEGIN EXECUTE 'CREATE USER {role}'; END $$", "CREATE USER {role}"),
        ("DO $$ BEGIN EXECUTE 'CREATE ' || 'USER {role}'; END $$", "EXECUTE '…' || '…'"),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS "
            "E'BEGIN IF true THEN DROP ROLE {role}; END IF; END'",
            "DROP ROLE {role}",
        ),
        ("alter role {owner}\n SET work_mem = '1MB'", "alter role {owner} SET work_mem = '…'"),
        ("ALTER ROLE {owner} PASSWORD 'hunter2-secret'", "ALTER ROLE {owner} PASSWORD '…'"),
        ("ALTER DATABASE {database} SET work_mem = '1MB'", "ALTER DATABASE {database} SET …"),
        ("GRANT CONNECT ON DATABASE {database} TO PUBLIC", "GRANT CONNECT ON DATABASE …"),
        ("ALTER SYSTEM SET work_mem = '1MB'", "ALTER SYSTEM SET work_mem = '…'"),
        ("CREATE /* a */ ROLE {role}", "CREATE ROLE {role}"),
        ("REASSIGN OWNED BY {owner} TO {owner}", "REASSIGN OWNED BY {owner} TO {owner}"),
        ("DROP OWNED BY {owner}", "DROP OWNED BY {owner}"),
        ("GRANT pg_read_all_stats TO {owner}", "GRANT pg_read_all_stats TO {owner}"),
        ("REVOKE pg_read_all_stats FROM {owner}", "REVOKE pg_read_all_stats FROM {owner}"),
        ("COMMENT ON ROLE {owner} IS 'x'", "COMMENT ON ROLE {owner} IS '…'"),
        ("SELECT pg_replication_origin_create('x')", "pg_replication_origin_create('…')"),
        ("COPY (SELECT 1) TO '/nowhere/x'", "COPY (SELECT 1) TO '…'"),
        ("COPY (SELECT 1) TO E'/nowhere/x'", "COPY (SELECT 1) TO '…'"),
        ("COPY (SELECT ';') TO $$/nowhere/x$$", "COPY (SELECT '…') TO '…'"),
        ("COPY t_a1 FROM '/nowhere/x'", "COPY t_a1 FROM '…'"),
        ("SELECT lo_export(1, '/nowhere/x')", "lo_export(1, '…')"),
        ("DELETE FROM pg_database", "DELETE FROM pg_database"),
    ],
)
def test_what_databases_share(
    theirs: Theirs, cluster: Cluster, database: str, statement: str, said: str
) -> None:
    """Roles and settings of the server are the real ones wherever they are changed."""
    names = {"role": f"nobody_{database}", "owner": OWNER, "database": database}
    theirs.project.revision("b2", "a1", f"op.execute({statement.format(**names)!r})")
    refusal = theirs.refusal()
    begin = said.format(**names)
    begin = begin.removesuffix("…") if "DATABASE" in begin else begin
    assert "hunter2" not in refusal
    assert f"Migration b2 Foreign b2 changes what all databases of the server share ({begin}" in (
        refusal
    )
    assert "Name a scratch database of another server in SCRATCH_DATABASE_URL." in refusal
    assert cluster.query("SELECT FROM pg_roles WHERE starts_with(rolname, 'nobody_')") == []
    assert cluster.query("SELECT FROM pg_db_role_setting") == []
    assert_untouched(theirs)


def test_statements_that_only_look_like_it(theirs: Theirs) -> None:
    """What belongs to one database is none of the server's."""
    theirs.project.revision(
        "b2",
        "a1",
        """
        op.execute("CREATE TABLE role (id int); ALTER TABLE role ADD database text")
        op.execute("ALTER TABLE t_a1 OWNER TO CURRENT_USER")
        op.execute("GRANT SELECT ON t_a1 TO PUBLIC")
        op.execute("REVOKE INSERT, UPDATE ON t_a1 FROM PUBLIC")
        op.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
        op.execute("ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC")
        op.execute("DROP USER MAPPING IF EXISTS FOR PUBLIC SERVER nowhere")
        op.execute("ALTER TABLE role DROP database; ALTER TABLE role ADD role int")
        op.execute("ALTER TABLE role DROP role; SELECT FROM role a JOIN role b ON true")
        op.execute("COMMENT ON TABLE role IS 'create user rows here'")
        op.execute("CREATE TABLE t (t text); INSERT INTO t VALUES ('drop database access')")
        op.execute("INSERT INTO t VALUES ('grant it'); INSERT INTO t SELECT t FROM t /* to x */")
        op.execute("DO $$ BEGIN RAISE DEBUG 'CREATE ROLE'; -- DROP ROLE\\nEND $$")
        op.execute("DO $$ BEGIN EXECUTE format('CREATE TABLE %I ()', 'u' || 1); END $$")
        """,
    )
    theirs.adopt()
    assert theirs.revisions() == ["a1"]


@pytest.mark.parametrize("text", ["{!r}", "sa.text({!r})"])
def test_what_is_certain_to_be_shared_is_refused_first(
    theirs: Theirs, tmp_path: Path, text: str
) -> None:
    """A revision that runs such a statement in any case keeps all others from running."""
    trace = tmp_path / "ran"
    theirs.project.revision("b2", "a1", f"open({str(trace)!r}, 'w').close()")
    theirs.project.revision("c3", "b2", f"x = 1\nop.execute({text.format('CREATE ROLE nobody')})")
    assert "Migration c3 Foreign c3 changes what all databases" in theirs.refusal()
    assert not trace.exists()
    assert_untouched(theirs)


def test_what_only_may_be_shared_is_replayed(theirs: Theirs) -> None:
    """A statement behind a condition counts when it runs."""
    theirs.project.revision(
        "b2",
        "a1",
        """
        op.create_table("t_b2")
        if op.get_bind().scalar(sa.text("SELECT false")):
            return
        if op.get_bind().scalar(sa.text("SELECT true")):
            return
        op.execute("CREATE ROLE nobody")
        """,
    )
    theirs.adopt()
    assert theirs.revisions() == ["a1"]


@contextmanager
def mightily(cluster: Cluster) -> Iterator[None]:
    """Make the role a superuser meanwhile, as it often is in development."""
    cluster.execute(f"ALTER ROLE {OWNER} SUPERUSER")
    try:
        yield
    finally:
        cluster.execute(f"ALTER ROLE {OWNER} NOSUPERUSER")


REACHING = {
    "dblink": "SELECT dblink_exec('{there}', 'DELETE FROM t_a1')",
    "CREATE SERVER s": (
        "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname '{there}')"
    ),
    "IMPORT FOREIGN": "IMPORT FOREIGN SCHEMA public FROM SERVER s INTO public",
    "COPY t_a1 TO PROGRAM '…'": "COPY t_a1 TO PROGRAM 'touch {there}'",
    "CREATE SUBSCRIPTION": "CREATE SUBSCRIPTION s CONNECTION '{there}' PUBLICATION p",
}


@pytest.mark.parametrize("said", REACHING)
def test_what_reaches_out(tmp_path: Path, debian_cluster: Cluster, said: str) -> None:
    """What a statement does through the server is done elsewhere, wherever the scratch is."""
    with debian_cluster.database() as database, mightily(debian_cluster):
        theirs = Theirs(tmp_path, debian_cluster, database)
        theirs.execute(f"{made('a1')}; INSERT INTO t_a1 VALUES (1)")
        there = f"host=127.0.0.1 port={debian_cluster.port} user=postgres dbname={database}"
        extensions = "CREATE EXTENSION dblink; CREATE EXTENSION postgres_fdw"
        statement = REACHING[said].format(there=there)
        theirs.project.revision("a1")
        theirs.project.revision(
            "b2", "a1", f"op.execute({extensions!r})\nop.execute({statement!r})"
        )
        refusal = theirs.refusal()
        assert f"Migration b2 Foreign b2 reaches out of its database ({said}" in refusal
        assert (
            ". Record it yourself with `inv stamp --revision REVISION`. Nothing was changed."
            in refusal
        )
        assert "host=" not in refusal
        assert_untouched(theirs)


UNREADABLE: dict[str, str | None] = {
    "EXECUTE format('…', '…')": "DO $$ BEGIN EXECUTE format('CREATE %s x', 'ROLE'); END $$",
    "EXECUTE text": "DO $$ DECLARE text text := 'CREATE ROLE x'; BEGIN EXECUTE text; END $$",
    "CREATE FUNCTION f(text) RETURNS int LANGUAGE c": (
        "CREATE FUNCTION f(text) RETURNS int LANGUAGE c AS 'nowhere', 'f'"
    ),
    "through cursor": None,
    "query_to_xml(t, false, false, '…')": (
        "SELECT query_to_xml(t, false, false, '') FROM (VALUES ('SELECT 1')) v (t)"
    ),
}


@pytest.mark.parametrize("said", UNREADABLE)
def test_what_nobody_can_read(theirs: Theirs, cluster: Cluster, said: str) -> None:
    """What is put together when it runs may be anything, and a superuser may do anything."""
    statement = UNREADABLE[said]
    upgrade = (
        "op.get_bind().connection.cursor().execute('CREATE %s x' % 'ROLE')"
        if statement is None
        else f"op.execute({statement!r})"
    )
    theirs.project.revision("b2", "a1", upgrade)
    with mightily(cluster):
        refusal = theirs.refusal()
    assert f"whose effect cannot be checked, as a role that may change more … ({said}" in (
        refusal.replace("than its database", "…")
    )
    assert "Set MIGRATION_DATABASE_URL to that of an ordinary role, or name a scratch" in refusal
    assert_untouched(theirs)


def test_what_the_files_show_is_refused_first(
    theirs: Theirs, cluster: Cluster, tmp_path: Path
) -> None:
    """No revision runs if a later one may log in by the driver itself."""
    trace = tmp_path / "ran"
    theirs.project.revision("b2", "a1", f"open({str(trace)!r}, 'w').close()")
    theirs.project.revision("c3", "b2", "import psycopg2; psycopg2.connect('').close()")
    with mightily(cluster):
        assert "Migration c3 Foreign c3" in theirs.refusal()
    assert not trace.exists()
    assert_untouched(theirs)
