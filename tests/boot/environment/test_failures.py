"""What it means that PostgreSQL refuses a login or a statement, whichever driver says so."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from asyncpg import PostgresError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, MissingGreenlet
from sqlalchemy.ext.asyncio import create_async_engine

from alembic_boot.environment.failures import no_connection, way_out
from alembic_boot.environment.logins import noting_attempts
from alembic_boot.errors import (
    BootError,
    ConfigurationError,
    DatabaseUnreachableError,
    LoginRefusedError,
)
from alembic_boot.output.foreign import describe
from alembic_boot.own_work import own_call
from tests.cluster import Cluster, free_port
from tests.scenarios.envs import DRIVERS as ENVS
from tests.scenarios.process import ForeignProject

DRIVERS = ["psycopg2", "psycopg", "asyncpg"]

PREPARE = """
CREATE TABLE people (first text NOT NULL, last text, age smallint);
CREATE TABLE hidden (); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; CREATE TABLE others ();
GRANT SELECT ON hidden TO moriai_user;
INSERT INTO people VALUES ('s3cret', 'one', 3), ('s3cret', 'one', 4), ('s3cret', NULL, 5)
"""

ROWS = "Fix the revision or the rows{} and start again."
REVISION = "Fix the revision and start again."
BLOCK = (
    "Let it run as a statement of its own, outside of the transaction, in "
    "`with op.get_context().autocommit_block():`, and start again."
)

ADVICE = {
    "CREATE UNIQUE INDEX by_both ON people (first, last)": ROWS.format(
        " (by_both: first, last must be unique)"
    ),
    "CREATE UNIQUE INDEX by_call ON people (lower(first))": ROWS.format(
        " (by_call: lower(first) must be unique)"
    ),
    "ALTER TABLE people ALTER COLUMN last SET NOT NULL": ROWS.format(""),
    "ALTER TABLE people ADD CONSTRAINT young CHECK (age < 5)": ROWS.format(""),
    "ALTER TABLE people ALTER COLUMN first TYPE varchar(3)": ROWS.format(""),
    "ALTER TABLE people ALTER COLUMN first TYPE int USING first::int": ROWS.format(""),
    "CREATE INDEX CONCURRENTLY by_age ON people (age)": BLOCK,
    "VACUUM people": BLOCK,
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE": REVISION,
    "SELECT nothing FROM people": REVISION,
    "SELECT * FROM hidden": (
        "With row_security = off, PostgreSQL refuses to read a table whose rows a policy may hide: "
        "set it to on for that role or in env.py, or do without row level security on that table."
    ),
    "SELECT * FROM others": (
        "Grant the role the right, or set MIGRATION_DATABASE_URL to the schema's owner."
    ),
    "CREATE TABLE nowhere.t ()": (
        "Create that schema (`CREATE SCHEMA`), or let env.py do so first, and start again."
    ),
}


async def _execute(url: str, statement: str) -> None:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT 1"))
            await connection.execute(text(statement))
    finally:
        await engine.dispose()


def execute(url: str, driver: str, statement: str) -> None:
    """Execute a statement as the second one of a transaction."""
    url = url.replace("postgresql:", f"postgresql+{driver}:")
    if driver == "asyncpg":
        asyncio.run(_execute(url, statement))
        return
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT 1"))
            connection.execute(text(statement))
    finally:
        engine.dispose()


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_way_out(cluster: Cluster, driver: str) -> None:
    """It names what is to be fixed, and tells nothing that the rows hold."""
    with cluster.database() as database:
        cluster.execute(PREPARE, database)
        cluster.execute("ALTER TABLE people OWNER TO moriai_user", database)
        cluster.execute(f"ALTER DATABASE {database} SET row_security = off")
        advice = {}
        for statement in ADVICE:
            with pytest.raises(DBAPIError) as caught:
                execute(cluster.url(database), driver, statement)
            advice[statement] = way_out(caught.value)
    assert advice == ADVICE


def failure_of(url: str, driver: str) -> BootError | None:
    # Before SQLAlchemy 2.1, asyncpg's own error comes.
    with own_call(), noting_attempts(), pytest.raises((DBAPIError, PostgresError)) as caught:
        execute(url, driver, "SELECT 1")
    return no_connection(caught.value)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_login_that_is_refused(cluster: Cluster, driver: str) -> None:
    """An env.py may have a login of its own, which is tried once more."""
    url = cluster.url("postgres", password="not-this-one")
    found = failure_of(url, driver)
    assert isinstance(found, LoginRefusedError)
    assert "password authentication failed" in found.what
    assert isinstance(failure_of(cluster.url("nowhere"), driver), LoginRefusedError)


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_nobody_there(driver: str) -> None:
    """It may be there soon. asyncpg says that as Python does."""
    url = f"postgresql://u:p@127.0.0.1:{free_port()}/d"
    assert isinstance(failure_of(url, driver), DatabaseUnreachableError)


def test_a_driver_that_needs_asyncio() -> None:
    """An env.py that knows no asyncio cannot use what its URL names."""
    assert isinstance(no_connection(MissingGreenlet("no greenlet_spawn")), ConfigurationError)


def test_asyncio_without_greenlet(tmp_path: Path, database_url: str) -> None:
    """SQLAlchemy installs greenlet only if it is asked for."""
    theirs = ForeignProject(tmp_path / "theirs", ENVS["asyncpg"])
    theirs.revision("a1")
    command = (
        "import sys; sys.modules['greenlet'] = None; from alembic_boot.cli import main; "
        f"main(['-c', {str(theirs.config)!r}, 'migrate'])"
    )
    ended = subprocess.run(
        (sys.executable, "-c", command),
        env={**os.environ, "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, "the package greenlet" in ended.stderr) == (2, True), ended
    assert "Install it: pip install greenlet. " in ended.stderr


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_sentence_of_several_lines(cluster: Cluster, driver: str) -> None:
    """It is told whole, without the details."""
    raised = "RAISE 'premier,\nsecond' USING detail = 'd\nd'"
    with pytest.raises(DBAPIError) as caught:
        execute(cluster.url("postgres"), driver, f"DO $$ BEGIN {raised}; END $$")
    assert describe(caught.value).endswith("premier, second")
