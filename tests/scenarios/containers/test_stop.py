"""The end at every stage: SIGTERM to PID 1, as `docker stop` sends it, and a database that dies."""

from collections.abc import Iterator

import httpx
import pytest

from tests.history import HEAD, OURS
from tests.scenarios.containers.inside import stop
from tests.scenarios.containers.stack import UNTIL_GATE, ServiceStack

pytestmark = [pytest.mark.slow, pytest.mark.container]


@pytest.fixture
def migrating(stack: ServiceStack) -> Iterator[ServiceStack]:
    """Give a stack in production that is in the middle of a revision, and `up` waiting for it."""
    stack.revision("901", HEAD, UNTIL_GATE)
    with stack.running_inv("up", APP_ENV="prod", JWT_SECRET="a-long-random-text"):
        stack.wait_for_the_gate()
        yield stack


def test_while_it_waits(stack: ServiceStack) -> None:
    """Who waits for a database that is not there stops as if told so at any other time."""
    with stack.running_inv("up", "--scale", "postgres=0") as inv:
        stack.wait_for("Not yet: …")
        status = stop(stack.backend)
        inv.finish().assert_failed(12, "backend-1 exited with status 143. …")
    assert status == 143
    assert stack.log()[-1] == "Stopped by SIGTERM."


def test_while_it_migrates(migrating: ServiceStack) -> None:
    """The statement is ended, its revision rolled back, and the next start does it all."""
    assert stop(migrating.backend) == 143
    assert migrating.log()[-1] == "Stopped by SIGTERM."
    assert migrating.query("SELECT version_num FROM alembic_version") == [HEAD]
    assert migrating.query("SELECT to_regclass('half') IS NULL") == ["t"]
    assert migrating.journal()[-1] == "901|failed"

    migrating.query("CREATE TABLE gate ()")
    migrating.backend.start()
    migrating.wait_until_healthy()
    assert migrating.journal()[-2:] == ["901|failed", "901|applied"]
    assert migrating.query("SELECT to_regclass('half') IS NULL") == ["f"]


def test_database_is_killed(migrating: ServiceStack) -> None:
    """A database that dies in mid-migration and is back ends at head, with all that was in it."""
    migrating.query(
        "INSERT INTO users (email) SELECT n || '@example.org' FROM generate_series(1, 500) n"
    )
    migrating.postgres.kill()
    migrating.wait_for("Not yet: …")
    migrating.postgres.start()
    migrating.wait_until_healthy("postgres-1")
    migrating.query("CREATE TABLE gate ()")
    migrating.wait_until_healthy()
    ready = httpx.get(f"{migrating.url()}/health/ready")
    assert (ready.status_code, ready.json()["current"]) == (200, ["901"])
    applied = [row for row in migrating.journal() if row.endswith("applied")]
    assert applied == [f"{revision}|applied" for revision in (*OURS, "901")]
    assert migrating.query("SELECT count(DISTINCT email) FROM users") == ["500"]
    assert migrating.query("SELECT to_regclass('half') IS NULL") == ["f"]


def test_while_it_serves(served: ServiceStack) -> None:
    """A service that was stopped has ended well, and serves again when it is started."""
    # Others may check the health, or compare the models with the schema, for a moment.
    running = served.backend.top(ps_args="-o pid,args")["Processes"]
    [first] = [args for pid, args in running if int(pid) == served.backend.attrs["State"]["Pid"]]
    assert first.endswith("inv start")
    assert stop(served.backend) == 0
    served.inv("up").assert_ok()
    assert httpx.get(f"{served.url()}/health/ready").status_code == 200
