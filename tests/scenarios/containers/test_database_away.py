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
    assert 20 <= float(seconds) < 40
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
