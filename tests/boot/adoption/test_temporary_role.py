"""A replay for a login that may create roles runs as a role that may do nothing elsewhere."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from alembic_boot.adoption.adopt import adopt
from alembic_boot.adoption.leftover_databases import new_name, remove_leftovers
from alembic_boot.postgres.urls import parse_database_url
from tests.boot.adoption.unmanaged import Theirs, made
from tests.cluster import OWNER, PASSWORD, Cluster
from tests.pgbouncer import running_pgbouncer
from tests.scenarios.process import FOREIGN_ENV

pytestmark = pytest.mark.slow

FELL_BACK = "replaying the history as the role of this login"

NOTE_LOGIN = """
with open({file!r}, "a") as file:
    file.write(op.get_bind().scalar(sa.text("SELECT session_user::text")) + "\\n")
op.execute("CREATE TABLE t_b2 (id int)")
"""


@contextmanager
def having(cluster: Cluster, right: str) -> Iterator[None]:
    """Give the application's role a right meanwhile."""
    cluster.execute(f"ALTER ROLE {OWNER} {right}")
    try:
        yield
    finally:
        cluster.execute(f"ALTER ROLE {OWNER} NO{right}")


def temporary_roles(cluster: Cluster) -> list[tuple[object, ...]]:
    return cluster.query("SELECT rolname::text FROM pg_roles WHERE rolname ~ '_scratch_'")


@pytest.fixture
def theirs(tmp_path: Path, cluster: Cluster, database: str) -> Theirs:
    """Give a project whose database is at its first revision, with a row."""
    return unmanaged(tmp_path, cluster, database)


def unmanaged(folder: Path, cluster: Cluster, database: str) -> Theirs:
    theirs = Theirs(folder, cluster, database)
    theirs.project.revision("a1")
    theirs.execute(f"{made('a1')}; INSERT INTO t_a1 VALUES (1)")
    return theirs


def assert_adopted(theirs: Theirs) -> None:
    """Fail unless the database is recorded at its revision, has its row, and no role is left."""
    assert theirs.revisions() == ["a1"]
    assert theirs.query("SELECT id FROM t_a1") == [(1,)]
    assert theirs.query("SELECT FROM pg_class WHERE relname = 't_b2'") == []
    assert temporary_roles(theirs.cluster) == []


@pytest.mark.parametrize("right", ["SUPERUSER", "CREATEROLE", None])
@pytest.mark.parametrize("version", [15, 18])
def test_who_replays(
    request: pytest.FixtureRequest, tmp_path: Path, right: str | None, version: int
) -> None:
    """A role of its own if the login may create one; else the login itself."""
    cluster: Cluster = request.getfixturevalue("cluster" if version == 18 else "debian_cluster")
    trace = tmp_path / "logins"
    with cluster.database() as database:
        theirs = unmanaged(tmp_path, cluster, database)
        theirs.project.revision("b2", "a1", NOTE_LOGIN.format(file=str(trace)))
        if right is None:
            theirs.adopt()
        else:
            with having(cluster, right):
                theirs.adopt()
        assert_adopted(theirs)
    [login] = trace.read_text().split()
    assert login.startswith(f"{database}_scratch_") if right else login == OWNER


HIDDEN = {
    "program": "COPY public.t_a1 TO PROGRAM 'touch {trace}'",
    "file": "COPY public.t_a1 TO '{trace}'",
    "dblink": "SELECT public.dblink_exec('{there}', 'DELETE FROM t_a1')",
    "role": "CREATE ROLE hidden_in_text",
    "reset": "RESET SESSION AUTHORIZATION; RESET ROLE; CREATE ROLE hidden_in_text",
    "superuser": "ALTER ROLE CURRENT_USER SUPERUSER; CREATE ROLE hidden_in_text",
    "terminate": "SELECT 1 / count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE usename = 'postgres'",
}


def hiding(statement: str, *, is_swallowed: bool) -> str:
    """Return a revision's code that puts a statement together when it runs."""
    swallowed = "EXCEPTION WHEN OTHERS THEN NULL; " if is_swallowed else ""
    block = f"DO $$ BEGIN EXECUTE reverse($x${statement[::-1]}$x$); {swallowed}END $$"
    return f"op.execute({block!r})\nop.execute('CREATE TABLE t_b2 (id int)')"


@pytest.mark.parametrize("is_swallowed", [True, False])
@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_statements_do_no_harm(
    tmp_path: Path, debian_cluster: Cluster, name: str, is_swallowed: bool
) -> None:
    """PostgreSQL refuses them to the role. If that fails the replay, the parser refuses them."""
    trace = Path("/tmp", f"hidden_{os.getpid()}")
    with debian_cluster.database() as database, having(debian_cluster, "SUPERUSER"):
        theirs = unmanaged(tmp_path, debian_cluster, database)
        debian_cluster.execute("CREATE EXTENSION dblink", database)
        there = f"host=127.0.0.1 port={debian_cluster.port} user=postgres dbname={database}"
        statement = HIDDEN[name].format(trace=trace, there=there)
        theirs.project.revision(
            "b2",
            "a1",
            "op.execute('CREATE EXTENSION IF NOT EXISTS dblink')\n"
            + hiding(statement, is_swallowed=is_swallowed),
        )
        with debian_cluster.connect() as bystander:
            if is_swallowed:
                theirs.adopt()
                assert_adopted(theirs)
            else:
                assert "runs code whose effect cannot be checked" in theirs.refusal()
            bystander.cursor().execute("SELECT 1")
        assert theirs.query("SELECT id FROM t_a1") == [(1,)]
        assert theirs.query("SELECT FROM pg_roles WHERE rolname = 'hidden_in_text'") == []
        assert temporary_roles(debian_cluster) == []
    assert not trace.exists()


def test_a_cursor_of_the_driver(theirs: Theirs, cluster: Cluster) -> None:
    """It is unseen, and does as little; nothing in the files is refused for it."""
    theirs.project.revision(
        "b2",
        "a1",
        """
        with op.get_context().autocommit_block():
            cursor = op.get_bind().connection.cursor()
            for statement in ("ALTER SYSTEM SET work_mem = '1MB'", "CREATE DATABASE hidden"):
                try:
                    cursor.execute(statement)
                except Exception as error:
                    assert error.pgcode == "42501", error
                else:
                    raise AssertionError(statement)
        op.execute("CREATE TABLE t_b2 (id int)")
        """,
    )
    with having(cluster, "SUPERUSER"):
        theirs.adopt()
    assert_adopted(theirs)


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        f"ALTER TABLE t_a1 OWNER TO {OWNER}",
        "CREATE EXTENSION vector",
    ],
)
def test_what_only_the_login_may(
    theirs: Theirs, cluster: Cluster, caplog: pytest.LogCaptureFixture, statement: str
) -> None:
    """A history that needs more than the role has is replayed by the login, as before."""
    caplog.set_level(logging.INFO)
    theirs.project.revision("b2", "a1", f"op.execute({statement!r})\nop.create_table('t_b2')")
    with having(cluster, "SUPERUSER"):
        theirs.adopt()
    assert_adopted(theirs)
    assert FELL_BACK in caplog.text


def test_an_extension_for_superusers(
    theirs: Theirs, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """One that the real database has is there before the replay."""
    caplog.set_level(logging.INFO)
    cluster.execute("CREATE EXTENSION vector", theirs.database)
    theirs.project.revision(
        "b2",
        "a1",
        """
        op.execute("CREATE EXTENSION IF NOT EXISTS vector")
        op.execute("CREATE TABLE t_b2 (v vector(3))")
        """,
    )
    with having(cluster, "SUPERUSER"):
        theirs.adopt()
    assert_adopted(theirs)
    assert FELL_BACK not in caplog.text


def test_a_server_that_does_not_let_the_role_in(
    theirs: Theirs, cluster: Cluster, tmp_path: Path
) -> None:
    """The login replays; the role is gone again."""
    trace = tmp_path / "logins"
    theirs.project.revision("b2", "a1", NOTE_LOGIN.format(file=str(trace)))
    rules = cluster.folder / "pg_hba.conf"
    saved = rules.read_text()
    rules.write_text(f"host all /_scratch_ 127.0.0.1/32 reject\n{saved}")
    cluster.execute("SELECT pg_reload_conf()")
    try:
        with having(cluster, "CREATEROLE"):
            theirs.adopt()
    finally:
        rules.write_text(saved)
        cluster.execute("SELECT pg_reload_conf()")
    assert_adopted(theirs)
    assert trace.read_text().split() == [OWNER]


@pytest.mark.parametrize("is_listed", [True, False])
def test_through_a_pooler(tmp_path: Path, debian_cluster: Cluster, is_listed: bool) -> None:
    """A pooler that has a list of users, or one user for the server, leaves the replay to that."""
    trace = tmp_path / "logins"
    options = {}
    with TemporaryDirectory() as folder:
        if is_listed:
            Path(folder).chmod(0o755)
            users = Path(folder, "users")
            users.write_text(f'"{OWNER}" "{PASSWORD}"\n')
            options = {"auth_type": "trust", "auth_file": str(users), "admin_users": OWNER}
        with (
            debian_cluster.database() as database,
            having(debian_cluster, "CREATEROLE"),
            running_pgbouncer(tmp_path / "bouncer", debian_cluster.port, **options) as port,
        ):
            theirs = unmanaged(tmp_path, debian_cluster, database)
            theirs.project.revision("b2", "a1", NOTE_LOGIN.format(file=str(trace)))
            url = parse_database_url(debian_cluster.url(database, port=port))
            adopt(replace(theirs.boot, migration_database_url=url))
            assert_adopted(theirs)
    assert trace.read_text().split() == [OWNER]


def test_an_env_py_with_a_login_of_its_own(theirs: Theirs, cluster: Cluster) -> None:
    """What counts is who logs in: a mighty login is refused what cannot be read."""
    theirs.write_env(
        FOREIGN_ENV.replace(
            "config = context.config\n",
            "config = context.config\nimport sqlalchemy as sa\n"
            "url = sa.make_url(config.get_main_option('sqlalchemy.url'))\n"
            "url = url.set(username='postgres', password=None)\n"
            "config.set_main_option('sqlalchemy.url', url.render_as_string(False))\n",
        )
    )
    theirs.project.revision("b2", "a1", hiding("CREATE ROLE hidden_in_text", is_swallowed=True))
    with having(cluster, "SUPERUSER"):
        assert "runs code whose effect cannot be checked" in theirs.refusal()
    assert temporary_roles(cluster) == []


def test_what_names_the_role(theirs: Theirs, cluster: Cluster) -> None:
    """CURRENT_USER, "$user" and a setting of the role mean the login all the same."""
    cluster.execute(f"ALTER ROLE {OWNER} SET IntervalStyle = 'iso_8601'")
    statements = (
        f"CREATE SCHEMA IF NOT EXISTS {OWNER}",
        "CREATE TABLE t_own (i interval DEFAULT '1 day')",
        "CREATE POLICY mine ON t_own TO CURRENT_USER",
        f"CREATE POLICY named ON t_own TO {OWNER}",
    )
    code = [f"op.execute({it!r})" for it in statements]
    code.insert(1, "assert op.get_bind().scalar(sa.text('SHOW IntervalStyle')) == 'iso_8601'")
    theirs.project.revision("b2", "a1", "\n".join(code))
    theirs.execute("; ".join(statements))
    try:
        with having(cluster, "CREATEROLE"):
            theirs.adopt()
    finally:
        cluster.execute(f"ALTER ROLE {OWNER} RESET IntervalStyle")
    assert theirs.query(f"SELECT version_num FROM {OWNER}.alembic_version") == [("b2",)]
    assert theirs.query(f"SELECT relname::text FROM pg_class WHERE oid = '{OWNER}.t_own'::regclass")


def test_what_a_killed_process_left(cluster: Cluster, database: str, database_url: str) -> None:
    """A role whose database is not made yet, or is gone already, is removed; others stay."""
    real = parse_database_url(database_url)
    left, others = new_name(real), f"{database}_scratch_notes"
    cluster.execute(f"CREATE ROLE {left} LOGIN ROLE {OWNER}")
    cluster.execute(f"CREATE ROLE {others} ROLE {OWNER}; GRANT {left} TO {OWNER} WITH ADMIN TRUE")
    try:
        remove_leftovers(real)
        assert temporary_roles(cluster) == [(left,), (others,)]
        with having(cluster, "CREATEROLE"):
            remove_leftovers(real)
        assert temporary_roles(cluster) == [(others,)]
    finally:
        cluster.execute(f"DROP ROLE {others}; DROP ROLE IF EXISTS {left}")


def test_the_password_stays_secret(
    theirs: Theirs,
    cluster: Cluster,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither our log nor that of the server has it; DATABASE_URL has it while a revision runs."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://somebody@nowhere/real")
    trace = tmp_path / "url"
    theirs.project.revision(
        "b2",
        "a1",
        f"""
        import os
        from pathlib import Path
        Path({str(trace)!r}).write_text(os.environ["DATABASE_URL"])
        op.execute("SELECT no_such_function()")
        """,
    )
    cluster.execute("ALTER SYSTEM SET log_statement = 'all'")
    cluster.execute("SELECT pg_reload_conf()")
    try:
        with having(cluster, "CREATEROLE"):
            refusal = theirs.refusal()
    finally:
        cluster.execute("ALTER SYSTEM RESET log_statement")
        cluster.execute("SELECT pg_reload_conf()")
    # The first try was as the role; the second, which has written the file, as the login.
    assert trace.read_text().startswith(f"postgresql+asyncpg://{OWNER}:")
    assert os.environ["DATABASE_URL"] == "postgresql+asyncpg://somebody@nowhere/real"
    log = (cluster.folder / "server.log").read_text()
    assert "CREATE ROLE" in log
    assert "PASSWORD 'SCRAM-SHA-256$" in log
    for text in (caplog.text, refusal):
        assert "SCRAM" not in text
        assert "no_such_function" in text


FROM_THE_ENVIRONMENT = FOREIGN_ENV.replace(
    "config = context.config\n",
    "config = context.config\nimport os\n"
    "url = os.environ['DATABASE_URL'].replace('postgresql:', 'postgresql+psycopg2:')\n"
    "config.set_main_option('sqlalchemy.url', url.replace('%', '%%'))\n",
)


@pytest.mark.parametrize("right", ["SUPERUSER", None])
def test_an_env_py_that_reads_database_url(
    theirs: Theirs, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, right: str | None
) -> None:
    """It works on the scratch database, and so does what a revision does with that URL."""
    monkeypatch.setenv("DATABASE_URL", cluster.url(theirs.database))
    theirs.write_env(FROM_THE_ENVIRONMENT)
    own_login = """
import os, psycopg2
connection = psycopg2.connect(os.environ["DATABASE_URL"])
connection.cursor().execute("DELETE FROM t_a1")
connection.commit()
connection.close()
"""
    upgrade = "op.execute('CREATE TABLE t_b2 (id int)')"
    theirs.project.revision("b2", "a1", upgrade if right else own_login + upgrade)
    if right is None:
        theirs.adopt()
    else:
        with having(cluster, right):
            theirs.adopt()
    assert_adopted(theirs)
    assert os.environ["DATABASE_URL"] == cluster.url(theirs.database)


def test_a_module_that_a_revision_imports(
    theirs: Theirs, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has read the URL of the scratch database is read again for the real one."""
    url = cluster.url(theirs.database)
    monkeypatch.setenv("DATABASE_URL", url)
    package = tmp_path / "theirs_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "db.py").write_text(
        "import os, sqlalchemy as sa\n"
        "engine = sa.create_engine(os.environ['DATABASE_URL'].replace('ql:', 'ql+psycopg2:'))\n"
    )
    (package / "tables.py").write_text("names = ['t_b2']\n")
    monkeypatch.syspath_prepend(tmp_path)
    theirs.project.revision(
        "b2",
        "a1",
        """
        from theirs_package.db import engine
        from theirs_package.tables import names
        op.execute(f"CREATE TABLE {names[0]} (id int)")
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT * FROM t_a1").all() == []
        engine.dispose()
        """,
    )
    try:
        theirs.adopt()
        assert_adopted(theirs)
        assert "theirs_package.tables" in sys.modules
        from theirs_package import db  # type: ignore[import-not-found]

        assert db.engine.url.database == theirs.database
    finally:
        for name in ("theirs_package", "theirs_package.db", "theirs_package.tables"):
            sys.modules.pop(name, None)
