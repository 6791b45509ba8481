"""What seeding makes of a database in which row level security hides rows from it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from alembic_boot.errors import SeedingFailedError
from alembic_boot.history.history import Target
from alembic_boot.seeding import seed
from alembic_boot.state.inspection import Inspection, SchemaState
from tests.boot.adoption.unmanaged import described
from tests.cluster import OWNER, Cluster

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
