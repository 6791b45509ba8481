"""What seeding makes of hidden rows, and of a callable that fails or is not there."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from alembic_boot.errors import BootError, ConfigurationError, SeedingFailedError
from alembic_boot.history.history import Target
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
    """Return what would have to be awaited."""
    return 1


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


@pytest.mark.parametrize("function", ["insert_later", "insert_one_by_one"])
def test_what_its_call_does_not_run(cluster: Cluster, database: str, function: str) -> None:
    """Nothing was inserted, so nothing is said to be."""
    assert "its call runs nothing" in seeded(cluster, database, function)


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
