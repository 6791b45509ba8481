"""A password that changes while the service runs: the next login uses the file's new one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from alembic_boot.environment.opening import open_project
from alembic_boot.postgres.wait import wait_for_database
from alembic_boot.state.schema import ask_location
from backend.main import create_app
from backend.settings import Settings, load_settings
from tests.api.application_settings import ALEMBIC_INI, SECRET
from tests.api.paths import BOOKS
from tests.api.server import serving
from tests.cluster import OWNER, Cluster
from tests.waiting import wait_until

ROLE = "rotating"


class Rotation:
    """A role that may do what the owner may, and the file that its password is in."""

    def __init__(self, cluster: Cluster, file: Path) -> None:
        self._cluster = cluster
        self.file = file

    def change(self, password: str) -> None:
        """Change the password, and end the sessions that logged in with the one before."""
        self._cluster.execute(f"ALTER ROLE {ROLE} PASSWORD '{password}'")
        self.file.write_text(f"{password}\n")
        self._cluster.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            f" WHERE usename = '{ROLE}'"
        )


@pytest.fixture
def rotation(cluster: Cluster, tmp_path: Path) -> Iterator[Rotation]:
    cluster.execute(f"CREATE ROLE {ROLE} LOGIN IN ROLE {OWNER}")
    rotation = Rotation(cluster, tmp_path / "password")
    rotation.change("the-first-one")
    yield rotation
    rotation.change("the-last-one")
    cluster.execute(f"DROP ROLE {ROLE}")


@pytest.fixture
def settings(cluster: Cluster, seeded_url: str, rotation: Rotation) -> Settings:
    return load_settings(
        {
            "APP_ENV": "test",
            "JWT_SECRET": SECRET,
            "ALEMBIC_CONFIG": str(ALEMBIC_INI),
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(cluster.port),
            "POSTGRES_USER": ROLE,
            "POSTGRES_DB": seeded_url.rpartition("/")[2],
            "POSTGRES_PASSWORD_FILE": str(rotation.file),
        }
    )


def test_the_service_goes_on(settings: Settings, rotation: Rotation) -> None:
    """Requests, the readiness and the event bus log in anew."""
    app = create_app(settings)
    with serving(app) as client:
        listener = app.state.resources.events
        for password in ("the-second/one", "the-third@one"):
            wait_until(lambda: listener.is_listening)
            rotation.change(password)
            assert client.get(BOOKS, params={"shelf": "default"}).status_code == 200
            wait_until(lambda: client.get("/health/ready").json()["status"] == "ready")


def test_a_file_that_is_gone_for_a_while(settings: Settings, rotation: Rotation) -> None:
    """It is a database that cannot be reached, and no defect."""
    with serving(create_app(settings)) as client:
        rotation.change("the-second-one")
        rotation.file.unlink()
        answer = client.get(BOOKS, params={"shelf": "default"})
        assert (answer.status_code, answer.json()["title"][:3]) == (503, "The")
        rotation.change("the-third-one")
        assert client.get(BOOKS, params={"shelf": "default"}).status_code == 200


def test_so_does_boot(settings: Settings, rotation: Rotation) -> None:
    """The wait, and an env.py of a project that was opened before, use the new one."""
    boot = settings.description()
    project = open_project(boot.alembic_config, boot.migration_database_url)
    rotation.change("another-one")
    wait_for_database(boot.database_url, 0)
    assert (
        ask_location(boot.migration_database_url, project).version_table.name == "alembic_version"
    )
