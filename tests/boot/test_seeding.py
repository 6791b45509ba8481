"""What seeding makes of hidden rows, and of a callable that fails or is not there."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

from alembic_boot import seed_calls
from alembic_boot.errors import BootError, ConfigurationError, SeedingFailedError
from alembic_boot.history.history import Target
from alembic_boot.seed_calls import refuse_by_text, seed_call
from alembic_boot.seeding import seed
from alembic_boot.state.inspection import Inspection, SchemaState
from tests.boot.adoption.unmanaged import described
from tests.cluster import OWNER, Cluster
from tests.scenarios.process import matches

AT_HEAD = Inspection(SchemaState.CURRENT, ("1",), Target("1", ("1",)), ("1",), (), (), (), ())

TABLES = f"""
SET ROLE {OWNER};
CREATE TABLE people (name text);
CREATE TABLE pets (name text);
INSERT INTO people VALUES ('system');
ALTER TABLE people ENABLE ROW LEVEL SECURITY
"""

FORCE = "ALTER TABLE people FORCE ROW LEVEL SECURITY"


def insert_absent(connection: Connection) -> int:
    """Insert a person, where it is absent."""
    if connection.exec_driver_sql("SELECT count(*) FROM people").scalar():
        return 0
    return connection.exec_driver_sql("INSERT INTO people VALUES ('system')").rowcount


def insert_where_meant(connection: Connection) -> int:
    """Insert a person, by policies that are meant for this."""
    connection.exec_driver_sql("SET LOCAL row_security = on")
    return insert_absent(connection)


def insert_elsewhere(connection: Connection) -> int:
    """Insert into a table that nobody hides."""
    return connection.exec_driver_sql("INSERT INTO pets VALUES ('Rex')").rowcount


async def insert_later(_connection: Connection) -> int:
    """Want what nobody can await."""
    return 1


class OwnSession(Session):
    """A session as SQLModel has one."""

    def insert(self) -> int:
        """Insert a pet."""
        insert_elsewhere(self.connection())
        return 1


class OwnAsyncSession(AsyncSession):
    """The same for asyncio."""


def insert_by_session(session: OwnSession) -> int:
    """Insert a pet, and commit it."""
    rows = session.insert()
    session.commit()
    return rows


async def insert_by_async_session(session: OwnAsyncSession) -> int:
    """Insert a pet, and leave the commit to others."""
    await session.execute(text("INSERT INTO pets VALUES ('Rex')"))
    return 1


async def insert_by_async_connection(connection: "AsyncConnection") -> None:
    """Insert a pet."""
    await connection.execute(text("INSERT INTO pets VALUES ('Rex')"))


async def insert_and_raise(session: AsyncSession) -> None:
    """Commit a pet, and fail."""
    await session.execute(text("INSERT INTO pets VALUES ('Rex')"))
    await session.commit()
    raise RuntimeError("no more")


def insert_by_engine(engine: Engine) -> None:
    """Insert a pet, over a connection of its own."""


def insert_one_by_one(connection: Connection) -> Iterator[int]:
    """Insert only if somebody asks for it."""
    yield insert_elsewhere(connection)


def seeded(cluster: Cluster, database: str, function: str = "insert_absent") -> str:
    """Return why seeding failed, if it did."""
    boot = described(cluster, database)
    try:
        seed(replace(boot, seed_callable=f"{__name__}:{function}"), AT_HEAD)
    except SeedingFailedError as error:
        return str(error)
    return ""


def people(cluster: Cluster, database: str) -> int:
    return len(cluster.query("SELECT FROM people", database))


def test_rows_that_are_hidden(cluster: Cluster, database: str) -> None:
    """They are not taken for absent; what the sentence advises helps as it stands."""
    cluster.execute(
        f"{TABLES}; {FORCE}; CREATE POLICY p ON people FOR INSERT WITH CHECK (true)", database
    )
    said = seeded(cluster, database)
    assert said == (
        'Seeding failed: row level security may hide rows of "public"."people" from the role '
        f"{OWNER}, and a hidden row cannot be told from an absent one. Run "
        '`ALTER TABLE "public"."people" NO FORCE ROW LEVEL SECURITY` as that role, or '
        f'`ALTER ROLE "{OWNER}" BYPASSRLS` as a superuser. Or let {__name__}:insert_absent say '
        "`SET LOCAL row_security = on`, if the policies are meant for it; or start with "
        "SEED=false. Nothing of it was kept."
    )
    assert people(cluster, database) == 1
    cluster.execute(said.split("`")[1], database)
    assert seeded(cluster, database) == ""
    assert people(cluster, database) == 1


@pytest.mark.parametrize(
    ("policy", "function"),
    [
        ("", "insert_elsewhere"),
        ("USING (true)", "insert_absent"),
        ("USING (name = 'system')", "insert_where_meant"),
    ],
)
def test_what_goes_on_as_ever(cluster: Cluster, database: str, policy: str, function: str) -> None:
    """Tables that nobody hides, and those whose policies show what the callable needs."""
    cluster.execute(f"{TABLES}; {FORCE}", database)
    if policy:
        cluster.execute(f"CREATE POLICY p ON people {policy}", database)
    assert seeded(cluster, database, function) == ""
    assert people(cluster, database) == 1


def test_what_its_call_does_not_run(cluster: Cluster, database: str) -> None:
    """Nothing was inserted, so nothing is said to be."""
    assert "its call runs nothing" in seeded(cluster, database, "insert_one_by_one")


@pytest.mark.parametrize(
    "function", ["insert_by_session", "insert_by_async_session", "insert_by_async_connection"]
)
def test_what_a_callable_wants(cluster: Cluster, database: str, function: str) -> None:
    """Its first parameter says it; a project's own kind of session is made for it."""
    cluster.execute(TABLES, database)
    assert seeded(cluster, database, function) == ""
    assert cluster.query("SELECT * FROM pets", database) == [("Rex",)]


def test_what_fails_after_its_own_commit(cluster: Cluster, database: str) -> None:
    """The commit of a session is a savepoint: nothing is kept."""
    cluster.execute(TABLES, database)
    assert "RuntimeError: no more. Nothing of it was kept." in seeded(
        cluster, database, "insert_and_raise"
    )
    assert cluster.query("SELECT * FROM pets", database) == []


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("insert_later", "insert_later is async and wants a Connection."),
        ("insert_by_engine", "insert_by_engine wants an Engine."),
    ],
)
def test_what_a_callable_cannot_have(function: str, sentence: str) -> None:
    """It is refused by name; the text of the file alone shows it, before anything changes."""
    name = f"{__name__}:{function}"
    for refuse in (partial(refuse_by_text, name), partial(seed_call, name, globals()[function])):
        with pytest.raises(ConfigurationError) as caught:
            refuse()
        assert caught.value.what.endswith(sentence)


def test_no_driver_for_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages are named, also before anything changes."""
    monkeypatch.setattr(seed_calls, "ASYNC_DRIVERS", ())
    with pytest.raises(ConfigurationError, match="greenlet and asyncpg or psycopg"):
        refuse_by_text(f"{__name__}:insert_by_async_session")
    refuse_by_text(f"{__name__}:insert_by_session")
    refuse_by_text("nowhere.at_all:seed")


def test_another_right_that_is_missing(cluster: Cluster, database: str) -> None:
    """It has the same SQLSTATE, and is said as it is."""
    cluster.execute(f"{TABLES}; {FORCE}; RESET ROLE; ALTER TABLE pets OWNER TO postgres", database)
    assert "permission denied for table pets" in seeded(cluster, database, "insert_elsewhere")


FAILING = """
from sqlalchemy import Connection, text

def seed(connection: Connection) -> None:
    connection.execute(text("INSERT INTO pets VALUES ('Rex')"))
    {}
"""


@pytest.mark.parametrize(
    ("module", "body", "sentence"),
    [
        ("raises", "raise RuntimeError('no stories')", "RuntimeError: no stories."),
        ("exits", "raise SystemExit(0)", "SystemExit: 0."),
        (
            "selects",
            "connection.execute(text('SELECT nothing'))",
            'ProgrammingError: (psycopg2.errors.UndefinedColumn) column "nothing" does not exist.',
        ),
    ],
)
def test_one_that_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cluster: Cluster,
    database: str,
    module: str,
    body: str,
    sentence: str,
) -> None:
    """Nothing of it is kept, however it fails."""
    cluster.execute(TABLES, database)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"seed_{module}.py").write_text(FAILING.format(body))
    boot = replace(described(cluster, database), seed_callable=f"seed_{module}:seed")
    with pytest.raises(SeedingFailedError) as failure:
        seed(boot, AT_HEAD)
    assert failure.value.exit_status == 10
    assert str(failure.value) == (
        f"Seeding failed: seed_{module}.py, line 6: {sentence} "
        f"Nothing of it was kept. Fix seed_{module}:seed, or start with SEED=false."
    )
    assert cluster.query("SELECT count(*) FROM pets", database) == [(0,)]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("backend.nothing:seed", "…cannot be imported: …. Write it as module:function, …"),
        ("backend.seeds:nothing", "…cannot be imported: …. Write it as module:function, …"),
        ("backend.seeds", "…is not callable. Write it as module:function."),
        ("not a name", "…cannot be imported: …. Write it as module:function, …"),
    ],
)
def test_one_that_is_not_there(cluster: Cluster, database: str, name: str, sentence: str) -> None:
    """A seed callable that does not exist is a wrong setting."""
    with pytest.raises(ConfigurationError) as failure:
        seed(replace(described(cluster, database), seed_callable=name), AT_HEAD)
    assert failure.value.exit_status == 2
    assert matches(str(failure.value), sentence), str(failure.value)


@pytest.mark.parametrize(
    ("module", "code", "status", "sentence"),
    [
        (
            "imports_badly",
            "raise ValueError('no tea')",
            10,
            "Seeding failed: imports_badly.py, line 1: ValueError: no …",
        ),
        (
            "imports_nothing",
            "import no_such_package",
            2,
            "imports_nothing.py, line 1 needs the package no_such_package, …",
        ),
    ],
)
def test_a_module_that_does_not_import(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cluster: Cluster,
    database: str,
    module: str,
    code: str,
    status: int,
    sentence: str,
) -> None:
    """Its own code is at fault, and not the setting that names it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{module}.py").write_text(code)
    with pytest.raises(BootError) as failure:
        seed(replace(described(cluster, database), seed_callable=f"{module}:seed"), AT_HEAD)
    assert failure.value.exit_status == status
    assert matches(str(failure.value), sentence), str(failure.value)
