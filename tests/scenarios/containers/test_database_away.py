"""A database that comes late, or does not let the backend in."""

import re

import httpx
import pytest

from tests.scenarios.containers.stack import ServiceStack

pytestmark = [pytest.mark.slow, pytest.mark.container]

OVERRIDE = """
services:
  backend:
    environment:
      POSTGRES_PASSWORD: {password}
"""


def test_twenty_seconds_late(stack: ServiceStack) -> None:
    """The backend waits for its database, and serves as soon as that is there."""
    with stack.running_inv("up", "--scale", "postgres=0") as inv:
        # It says so every five seconds.
        stack.wait_for("Not yet: … (waiting 2… of 60 s)")
        stack.inv("up").assert_ok()
        inv.finish().assert_ok()
    ready = stack.wait_for("PostgreSQL is ready (…, … s)")
    [seconds] = re.findall(r", ([\d.]+) s\)", ready)
    assert float(seconds) >= 20  # how long the container takes is not ours
    assert stack.backend.attrs["RestartCount"] == 0
    assert httpx.get(f"{stack.url()}/health/ready").status_code == 200


def test_wrong_password(stack: ServiceStack) -> None:
    """It is not waited for: the backend ends with 4 and a sentence that has no password in it."""
    wrong = "wrong-and-secret"
    stack.write(OVERRIDE.format(password=wrong), "docker-compose.override.yml")
    finished = stack.inv("up")
    finished.assert_failed(12, "backend-1 …exited with status 4. Its last lines are above, …")
    finished.assert_secret(frozenset({wrong}))
    log = stack.log()
    assert not [line for line in log if wrong in line]
    refused = stack.wait_for("PostgreSQL refused the login at postgresql://moriai_user:***@…")
    assert 'password authentication failed for user "moriai_user"' in refused
    assert "Running database migrations..." not in log
    assert stack.query("SELECT to_regclass('alembic_version') IS NULL") == ["t"]


SOON = """
services:
  postgres:
    healthcheck: {retries: 2, start_period: 0s}
"""


def test_password_that_changed_after_the_first_start(stack: ServiceStack) -> None:
    """The volume keeps the first password: `up` says so, and what helps."""
    stack.inv("up", "--scale", "backend=0").assert_ok()
    stack.write(SOON, "docker-compose.override.yml")
    new = f"new-{stack.password}"
    finished = stack.inv("up", "--scale", "backend=0", POSTGRES_PASSWORD=new)
    volume = f"{stack.name}_postgres"
    finished.assert_failed(
        12,
        "postgres-1 is not healthy. PostgreSQL runs, but refuses moriai_user with "
        "POSTGRES_PASSWORD: "
        f"the volume {volume} keeps the password that its database was made with. Put the old "
        "password back; or set the new one in the database: `inv shell --service postgres`, and "
        "there `psql -U moriai_user moriai_db -c '\\password'`; or start again: `inv down "
        "--volumes` removes the database with all its data.",
    )
    finished.assert_secret(frozenset({stack.password, new}))
