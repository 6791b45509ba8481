"""A scratch database is empty, is not the real one, and is gone or empty again afterwards."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.boot.description import BootDescription
from backend.boot.errors import ConfigurationError
from backend.boot.migration.check import check
from backend.boot.migration.leftovers import in_use, new_name, remove_leftovers
from backend.boot.migration.scratch import scratch_database
from backend.boot.postgres.urls import DatabaseUrl, parse_database_url
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
"""


@pytest.fixture
def scratch(cluster: Cluster) -> Iterator[str]:
    """Give the name of another empty database."""
    with cluster.database() as name:
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


def test_a_given_one_is_empty_again(cluster: Cluster, database_url: str, scratch: str) -> None:
    """What the replay made goes, of every kind; what belongs to the database stays."""
    given = parse_database_url(cluster.url(scratch))
    for _ in range(2):
        with scratch_database(described(database_url, given)) as url:
            assert url == given
            cluster.execute(f"SET ROLE {OWNER}; {EVERYTHING}", scratch)
    query = "SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1"
    assert cluster.query(query, scratch) == [("information_schema",), ("public",)]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("CREATE TABLE t (i int)", "table public.t"),
        ("CREATE TABLE alembic_version (version_num text)", "table public.alembic_version"),
        ("CREATE SCHEMA crm; CREATE TABLE crm.people (i int)", "table crm.people"),
        ("CREATE SCHEMA crm", "schema crm"),
        ("CREATE VIEW v AS SELECT 1", "view public.v"),
        ("CREATE TYPE e AS ENUM ('a')", "type public.e"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function public.f()"),
    ],
)
def test_one_that_is_not_empty_is_refused(
    cluster: Cluster, database_url: str, scratch: str, statement: str, found: str
) -> None:
    """Whatever is there is named, and stays."""
    cluster.execute(f"SET ROLE {OWNER}; {statement}", scratch)
    given = parse_database_url(cluster.url(scratch))
    for _ in range(2):
        with (
            pytest.raises(ConfigurationError) as caught,
            scratch_database(described(database_url, given)),
        ):
            pass
        assert f"names a database that is not empty ({found}" in str(caught.value)


def test_the_real_one_is_refused(cluster: Cluster, database: str, database_url: str) -> None:
    """Spelled otherwise it is the real one all the same."""
    same = parse_database_url(cluster.url(database).replace("127.0.0.1", "localhost"))
    with (
        pytest.raises(ConfigurationError) as caught,
        scratch_database(described(database_url, same)),
    ):
        pass
    assert str(caught.value) == (
        "SCRATCH_DATABASE_URL names the real database. Name another one, an empty one."
    )


def test_an_env_py_of_its_own_mind(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """An env.py that connects elsewhere is found out before anything is changed there."""
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s\n")
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "a1.py").write_text(
        "from alembic import op\n"
        "revision = 'a1'\n"
        "down_revision = None\n"
        "def upgrade(): op.execute('CREATE TABLE t (i int)')\n"
        "def downgrade(): op.execute('DROP TABLE t')\n"
    )
    url = database_url.replace("postgresql:", "postgresql+psycopg2:")
    (tmp_path / "env.py").write_text(
        "from alembic import context\n"
        "from sqlalchemy import create_engine, pool\n"
        f"with create_engine({url!r}, poolclass=pool.NullPool).connect() as connection:\n"
        "    context.configure(connection=connection)\n"
        "    with context.begin_transaction():\n"
        "        context.run_migrations()\n"
    )
    boot = replace(described(database_url), alembic_config=tmp_path / "alembic.ini")
    before = databases(cluster)
    with pytest.raises(ConfigurationError) as caught:
        check(boot)
    assert "connects to another database than the one it was given." in str(caught.value)
    assert (
        cluster.query(
            "SELECT relname FROM pg_class WHERE relname IN ('t', 'alembic_version')", database
        )
        == []
    )
    assert databases(cluster) == before


def test_names(cluster: Cluster) -> None:
    """They fit, and two databases whose long names begin alike have none in common."""
    real = parse_database_url(cluster.url("a" * 62 + "b"))
    other = parse_database_url(cluster.url("a" * 62 + "c"))
    wide = parse_database_url(cluster.url("é" * 31))
    names = [new_name(url) for url in (real, other, wide, wide)]
    assert len({name[:-8] for name in names}) == 3
    assert len(set(names)) == 4
    assert max(len(name.encode()) for name in names) <= 63


def test_what_a_killed_process_left_is_dropped(cluster: Cluster, database_url: str) -> None:
    """Not one that a living one has, from before it is made, nor what only looks like one."""
    url = parse_database_url(database_url)
    abandoned, used = new_name(url), new_name(url)
    look_alike = f"{abandoned}0"
    names = {abandoned, used, look_alike}
    for name in names:
        cluster.execute(f'CREATE DATABASE "{name}" OWNER {OWNER}')
    try:
        with in_use(url, used) as is_mine:
            assert is_mine
            with scratch_database(described(database_url)):
                assert databases(cluster) & names == {used, look_alike}
        remove_leftovers(url)
        assert databases(cluster) & names == {look_alike}
    finally:
        for name in names:
            cluster.execute(f'DROP DATABASE IF EXISTS "{name}"')


def test_one_that_is_at_work_is_left_alone(cluster: Cluster, database_url: str) -> None:
    """Two replays beside the same database do not end each other."""
    boot = described(database_url)
    with scratch_database(boot) as first, scratch_database(boot) as second:
        assert {first.database, second.database} <= databases(cluster)


def test_a_given_one_of_a_killed_process(cluster: Cluster, database_url: str, scratch: str) -> None:
    """Its mark says that what is in it came from a replay."""
    given = parse_database_url(cluster.url(scratch))
    cluster.execute(f"SET ROLE {OWNER}; CREATE SCHEMA boot_scratch; {EVERYTHING}", scratch)
    with scratch_database(described(database_url, given)):
        assert cluster.query("SELECT FROM pg_tables WHERE schemaname = 'public'", scratch) == []
    query = "SELECT FROM pg_namespace WHERE nspname = 'boot_scratch'"
    assert cluster.query(query, scratch) == []


def test_a_given_one_in_use(cluster: Cluster, database_url: str, scratch: str) -> None:
    """Two replays in one database would be one muddle."""
    boot = described(database_url, parse_database_url(cluster.url(scratch)))
    with (
        scratch_database(boot),
        pytest.raises(ConfigurationError, match="in which another replay is running"),
        scratch_database(boot),
    ):
        pytest.fail("two at once")
