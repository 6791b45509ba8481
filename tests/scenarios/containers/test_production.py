"""The Compose file of production: its secrets are files, and it runs several replicas."""

import json
import shutil

import httpx
import pytest

from tests.scenarios.containers.stack import ServiceStack, free_ports
from tests.scenarios.process import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.container]

FILES = "docker-compose.yml:docker-compose.prod.yml"
SECRET = "signs-the-tokens-of-a-test"


def test_secrets_by_file(stack: ServiceStack) -> None:
    """The secrets are read from their files; they are in no variable and in no log."""
    shutil.copy(ROOT / "docker-compose.prod.yml", stack.folder)
    for name, text in (("password", stack.password), ("jwt", SECRET)):
        (stack.folder / name).write_text(f"{text}\n", encoding="utf-8")
    finished = stack.inv(
        "up",
        "--scale",
        "backend=2",
        COMPOSE_FILE=FILES,
        POSTGRES_PASSWORD="",
        POSTGRES_PASSWORD_FILE="password",
        JWT_SECRET_FILE="jwt",
        BACKEND_PORT=free_ports(2),
    )
    finished.assert_ok()
    finished.assert_secret(frozenset({stack.password, SECRET}))
    for title in ("backend-1", "backend-2"):
        assert httpx.get(f"{stack.url(title)}/health/ready").status_code == 200
        assert httpx.get(f"{stack.url(title)}/api/v1/books").json()["items"] == []
        assert "Seeding initial data..." not in stack.log(title)
        assert SECRET not in str(stack.log(title))
    known = json.dumps([it.attrs for it in stack.containers().values()])
    assert not [secret for secret in (stack.password, SECRET) if secret in known]
    first_line = stack.backend.logs().decode().splitlines()[0]
    assert json.loads(first_line)["message"].startswith("Waiting for PostgreSQL...")
