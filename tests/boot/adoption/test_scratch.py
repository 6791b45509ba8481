"""A scratch database is empty, is not the real one, and is gone or empty again afterwards."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import wait_select

from alembic_boot.adoption.given_scratch import END_WORK, objects
from alembic_boot.adoption.leftover_databases import new_name, remove_leftovers
from alembic_boot.adoption.scratch import scratch_database
from alembic_boot.description import BootDescription
from alembic_boot.errors import (
    BootError,
    ConfigurationError,
    DatabaseMissingError,
    DatabaseUnreachableError,
    LockTimeoutError,
    LoginRefusedError,
)
from alembic_boot.postgres.urls import DatabaseUrl, parse_database_url
from backend.settings import load_settings
from tests.cluster import OWNER, Cluster

EVERYTHING = """
    CREATE SCHEMA crm;
    CREATE TYPE mood AS ENUM ('good', 'bad');
    CREATE TYPE pair AS (a int, b int);
    CREATE TYPE span AS RANGE (subtype = int);
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TABLE people (id int GENERATED ALWAYS AS IDENTITY, mood mood, age positive);
    CREATE TABLE crm.customers (id serial);
    CREATE VIEW happy AS SELECT * FROM people;
    CREATE SEQUENCE numbers;
    CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE TABLE alembic_version (version_num text);
    CREATE STATISTICS wise ON id, age FROM people;
    CREATE COLLATION plain (locale = 'C');
    CREATE OPERATOR <<->> (leftarg = int, rightarg = int, function = int4pl);
    CREATE TEXT SEARCH CONFIGURATION words (copy = simple);
    CREATE TEXT SEARCH DICTIONARY terms (template = simple);
    CREATE CONVERSION latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
    CREATE CAST (int AS mood) WITH INOUT;
    CREATE PUBLICATION news FOR TABLE people;
"""


@pytest.fixture
def scratch(cluster: Cluster) -> Iterator[str]:
    """Give the name of another database, empty and marked."""
    with cluster.scratch_database() as name:
        yield name


def described(url: str, scratch: DatabaseUrl | None = None) -> BootDescription:
    settings = load_settings({"DATABASE_URL": url}, Path("/nonexistent"))
    return replace(settings.description(), scratch_database_url=scratch)


def databases(cluster: Cluster) -> set[object]:
    return {name for (name,) in cluster.query("SELECT datname FROM pg_database")}


def test_one_beside_the_real_one(cluster: Cluster, database_url: str) -> None:
    """It is made, differs from the real one, and is dropped, also after a failure."""
    before = databases(cluster)
    with pytest.raises(KeyError), scratch_database(described(database_url)) as url:
        assert databases(cluster) - before == {url.database}
        raise KeyError
    assert databases(cluster) == before


def assert_like(cluster: Cluster, name: str, options: str) -> None:
    """Fail unless the scratch beside a database with these options has the same ones."""
    cluster.execute(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0 {options}")
    query = (
        "SELECT to_jsonb(d) - ARRAY['oid', 'datname', 'datacl', 'datfrozenxid', 'datminmxid']"
        " FROM pg_database d WHERE datname = '{}'"
    )
    try:
        with scratch_database(described(cluster.url(name))) as url:
            made = cluster.query(query.format(url.database))
            assert made == cluster.query(query.format(name))
    finally:
        cluster.execute(f"DROP DATABASE {name}")


def test_the_locale_of_the_real_one(any_cluster: Cluster) -> None:
    """What can be written, and how it is sorted, is as it is there, and not as in a template."""
    options = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'POSIX'"
    assert_like(any_cluster, "test_latin1", options)


def test_a_locale_of_icu(debian_cluster: Cluster) -> None:
    """The same where it comes from the library for all languages."""
    options = "ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'ko-KR'"
    assert_like(debian_cluster, "test_icu", options)


def test_a_builtin_locale(cluster: Cluster) -> None:
    """The same where it is PostgreSQL's own."""
    options = "ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
    assert_like(cluster, "test_builtin", options)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app, public", "app, public"),
        ("app", "app, public"),
        ('"$user"', '"$user", public'),
        ("''", "public"),
    ],
)
def test_the_settings_of_the_real_one(
    cluster: Cluster, database: str, database_url: str, path: str, expected: str
) -> None:
    """A history may depend on them; not so on limits, and not on what a superuser has set."""
    for statement in (
        f"ALTER DATABASE {database} SET search_path = {path}",
        f"ALTER DATABASE {database} SET app.tenant = 'a, b=c'",
        f"ALTER DATABASE {database} SET log_statement = 'all'",
        f"ALTER DATABASE {database} SET statement_timeout = '50s'",
        f"ALTER ROLE {OWNER} IN DATABASE {database} SET intervalstyle = 'iso_8601'",
        f"ALTER ROLE {OWNER} IN DATABASE {database} SET role = 'pg_monitor'",
        f"ALTER ROLE postgres IN DATABASE {database} SET app.tenant = 'another'",
    ):
        cluster.execute(statement)
    with (
        scratch_database(described(database_url)) as url,
        closing(psycopg2.connect(url.raw)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "SELECT current_setting('search_path'), current_setting('app.tenant', true),"
            " current_setting('intervalstyle'), current_user::text,"
            " current_setting('statement_timeout')"
        )
        assert cursor.fetchall() == [(expected, "a, b=c", "iso_8601", OWNER, "0")]
    query = "SELECT FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase"
    assert cluster.query(f"{query} WHERE d.oid IS NULL") == []


def test_a_given_one_without_the_settings(
    cluster: Cluster,
    database: str,
    database_url: str,
    scratch: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is somebody's own, and not changed; what it lacks is said."""
    given = parse_database_url(cluster.url(scratch), "SCRATCH_DATABASE_URL")
    cluster.execute(f"ALTER DATABASE {database} SET app.tenant = 'secret'")
    with scratch_database(described(database_url, given)):
        pass
    [message] = caplog.messages
    assert "lacks settings of the real one (app.tenant): a history may" in message
    cluster.execute(f"ALTER DATABASE {scratch} SET app.tenant = 'secret'")
    with scratch_database(described(database_url, given)):
        pass
    assert caplog.messages == [message]


def test_a_given_one_is_empty_again(cluster: Cluster, database_url: str, scratch: str) -> None:
    """What the replay made goes, of every kind; what belongs to the database stays."""
    given = parse_database_url(cluster.url(scratch), "SCRATCH_DATABASE_URL")
    for _ in range(2):
        with scratch_database(described(database_url, given)) as url:
            assert url == given
            cluster.execute(f"SET ROLE {OWNER}; {EVERYTHING}", scratch)
    connection = cluster.connect(scratch)
    with closing(connection):
        assert objects(connection) == []
    query = "SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1"
    assert cluster.query(query, scratch) == [
        ("boot_scratch",),
        ("information_schema",),
        ("public",),
    ]


@pytest.mark.parametrize("statement", ["SELECT", "CREATE TABLE t (i int)"])
def test_one_without_the_mark_is_refused(
    cluster: Cluster, database_url: str, statement: str
) -> None:
    """An empty one, too: only the operator's schema says that it may be emptied."""
    with cluster.database() as name:
        cluster.execute(f"SET ROLE {OWNER}; {statement}", name)
        given = parse_database_url(cluster.url(name), "SCRATCH_DATABASE_URL")
        with (
            pytest.raises(ConfigurationError) as caught,
            scratch_database(described(database_url, given)),
        ):
            pytest.fail("it was given")
        assert str(caught.value) == (
            f"SCRATCH_DATABASE_URL names {given.masked}, which no schema marks as a scratch. If "
            "all its content may be dropped, run `CREATE SCHEMA boot_scratch` there. Nothing was "
            "changed."
        )
        count = "SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public'"
        assert cluster.query(count, name) == [(int("TABLE" in statement),)]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("CREATE TABLE t (i int)", "table public.t"),
        ("CREATE TABLE alembic_version (version_num text)", "table public.alembic_version"),
        ("CREATE SCHEMA crm; CREATE TABLE crm.people (i int)", "table crm.people, schema crm"),
        ("CREATE COLLATION c (locale = 'C')", "collation public.c"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function public.f()"),
    ],
)
def test_a_marked_one_is_emptied_first(
    cluster: Cluster,
    database_url: str,
    scratch: str,
    caplog: pytest.LogCaptureFixture,
    statement: str,
    found: str,
) -> None:
    """The mark allows that; the log names what was there."""
    cluster.execute(f"SET ROLE {OWNER}; {statement}", scratch)
    given = parse_database_url(cluster.url(scratch), "SCRATCH_DATABASE_URL")
    with (
        scratch_database(described(database_url, given)),
        closing(cluster.connect(scratch)) as connection,
    ):
        assert objects(connection) == []
    assert caplog.messages == [f"Emptied the database of SCRATCH_DATABASE_URL: it had {found}"]


def test_an_extension_of_the_superuser(cluster: Cluster, database_url: str, scratch: str) -> None:
    """One that a history needs and its role may not install is there before, and stays."""
    cluster.execute("CREATE EXTENSION vector", scratch)
    given = parse_database_url(cluster.url(scratch), "SCRATCH_DATABASE_URL")
    for _ in range(2):
        with scratch_database(described(database_url, given)):
            cluster.execute(f"SET ROLE {OWNER}; CREATE TABLE t (v vector(3))", scratch)
    query = "SELECT to_regclass('t')::text, to_regtype('vector')::text"
    assert cluster.query(query, scratch) == [(None, "vector")]


def test_the_real_one_is_refused(cluster: Cluster, database: str, database_url: str) -> None:
    """Spelled otherwise it is the real one all the same."""
    other = cluster.url(database).replace("127.0.0.1", "localhost")
    same = parse_database_url(other, "SCRATCH_DATABASE_URL")
    with (
        pytest.raises(ConfigurationError) as caught,
        scratch_database(described(database_url, same)),
    ):
        pass
    assert str(caught.value) == (
        "SCRATCH_DATABASE_URL names the real database. Name another one, an empty one."
    )


@pytest.mark.parametrize(
    ("wrong", "error", "what"),
    [
        ({"password": "wrong"}, LoginRefusedError, "PostgreSQL refused the login at "),
        ({"database": "nowhere"}, DatabaseMissingError, "Database 'nowhere' does not exist at "),
        ({"port": 1}, DatabaseUnreachableError, "PostgreSQL at "),
    ],
)
def test_one_that_cannot_be_reached(
    cluster: Cluster,
    database_url: str,
    scratch: str,
    wrong: dict[str, Any],
    error: type[BootError],
    what: str,
) -> None:
    """The setting is named, by which it is found."""
    given = parse_database_url(
        cluster.url(**{"database": scratch, **wrong}), "SCRATCH_DATABASE_URL"
    )
    with pytest.raises(error) as caught, scratch_database(described(database_url, given)):
        pytest.fail("it was given")
    assert caught.value.what.startswith(what)
    assert "SCRATCH_DATABASE_URL" in caught.value.advice
    assert "wrong" not in str(caught.value)


def make_scratch(cluster: Cluster, url: str, owner: str = OWNER) -> str:
    """Make a database as one that a replay makes is called, and return its name."""
    name = new_name(parse_database_url(url))
    cluster.execute(f'CREATE DATABASE "{name}" OWNER {owner}')
    return name


def test_what_a_killed_process_left_is_dropped(cluster: Cluster, database_url: str) -> None:
    """At once, and whoever is still connected: its lock in the real database is free."""
    left = make_scratch(cluster, database_url)
    connection = psycopg2.connect(cluster.url(left))
    with closing(connection), scratch_database(described(database_url)):
        assert left not in databases(cluster)


def test_it_is_dropped_where_one_is_given_now(
    cluster: Cluster, database_url: str, scratch: str
) -> None:
    """Whoever was killed may not have had the setting."""
    left = make_scratch(cluster, database_url)
    with scratch_database(described(database_url, parse_database_url(cluster.url(scratch)))):
        assert left not in databases(cluster)


def test_what_is_not_left_behind_stays(
    cluster: Cluster, database: str, database_url: str, scratch: str
) -> None:
    """Neither what is called otherwise, nor another role's, nor that of another real one."""
    long = "l" * 40
    url = parse_database_url(database_url)
    mine, others = url.with_database(f"{long}_mine"), url.with_database(f"{long}_others")
    notes, theirs = f"{database}_scratch_notes", make_scratch(cluster, database_url, "postgres")
    beside_another = new_name(others)
    cluster.execute(f"CREATE DATABASE {notes} OWNER {OWNER}")
    cluster.execute(f"CREATE DATABASE {beside_another} OWNER {OWNER}")
    cluster.execute(f"CREATE DATABASE {mine.database} OWNER {OWNER}")
    try:
        for real in (url, mine):
            remove_leftovers(real)
            assert {notes, theirs, beside_another} <= databases(cluster)
    finally:
        for name in (notes, theirs, beside_another, mine.database):
            cluster.execute(f'DROP DATABASE "{name}"')


def test_one_that_is_at_work_is_left_alone(cluster: Cluster, database_url: str) -> None:
    """Two replays beside the same database do not end each other."""
    boot = described(database_url)
    with scratch_database(boot) as first, scratch_database(boot) as second:
        assert {first.database, second.database} <= databases(cluster)


def test_a_server_that_does_not_let_us_in(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Where pg_hba.conf names databases, one of another name can be made and not be entered."""
    before = databases(cluster)
    rules = cluster.folder / "pg_hba.conf"
    saved = rules.read_text()
    rules.write_text(f"host {database},postgres all 127.0.0.1/32 trust\n")
    cluster.execute("SELECT pg_reload_conf()")
    try:
        with pytest.raises(ConfigurationError) as caught, scratch_database(described(database_url)):
            pytest.fail("it was given")
    finally:
        rules.write_text(saved)
        cluster.execute("SELECT pg_reload_conf()")
    assert "A scratch database was made, but it cannot be reached. " in str(caught.value)
    assert "no pg_hba.conf entry" in str(caught.value)
    assert str(caught.value).endswith(
        "or name a database that has the schema boot_scratch in SCRATCH_DATABASE_URL."
    )
    assert databases(cluster) == before


def test_one_that_cannot_be_dropped(
    cluster: Cluster, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and hides no failure that came before."""
    with pytest.raises(KeyError), scratch_database(described(database_url)) as url:
        cluster.execute(f"ALTER DATABASE {url.database} OWNER TO postgres")
        raise KeyError
    cluster.execute(f"DROP DATABASE {url.database}")
    [message] = [it.getMessage() for it in caplog.records]
    assert message.startswith(f"The scratch database {url.database} could not be removed: ")
    assert "must be owner of database" in message


def test_whose_work_is_ended(cluster: Cluster, database_url: str, scratch: str) -> None:
    """That of a killed process; a process that waits for the database goes on."""
    given = parse_database_url(cluster.url(scratch), "SCRATCH_DATABASE_URL")
    left = psycopg2.connect(cluster.url(scratch), async_=True)
    wait_select(left)
    left.cursor().execute("SELECT pg_sleep(60)")
    pids = f"SELECT pid FROM pg_stat_activity WHERE datname = '{scratch}'"
    boot = described(database_url, given)

    def use() -> DatabaseUrl:
        with scratch_database(boot) as url:
            return url

    with closing(left), ThreadPoolExecutor() as pool:
        with scratch_database(boot):
            assert (left.info.backend_pid,) not in cluster.query(pids)
            waiting = pool.submit(use)
            while len(cluster.query(f"{pids} AND query ~ 'pg_try_advisory'")) < 2:
                assert not waiting.done()
            with closing(cluster.connect(scratch)) as connection:
                connection.cursor().execute(f"SET SESSION AUTHORIZATION {OWNER}; {END_WORK}")
        assert waiting.result(timeout=30) == given


def test_a_given_one_in_use(cluster: Cluster, database_url: str, scratch: str) -> None:
    """Two replays in one database would be one muddle: the second waits, up to its time."""
    boot = described(database_url, parse_database_url(cluster.url(scratch)))
    hasty = replace(boot, schema=replace(boot.schema, lock_timeout=0.1))
    with (
        scratch_database(boot),
        pytest.raises(LockTimeoutError, match="Another starter has kept the database that SCRATCH"),
        scratch_database(hasty),
    ):
        pytest.fail("two at once")
