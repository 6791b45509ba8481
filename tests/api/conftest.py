"""Fixtures: the application on databases at head, with and without the stories."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from fastapi import FastAPI
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Connection, event, text
from sqlalchemy.orm import Session

from backend.main import create_app
from backend.services import passwords
from tests.api.application_settings import settings_for
from tests.api.replica import Replica, replica
from tests.api.server import serving
from tests.cluster import Cluster
from tests.migrations.project import engine_for

_REAL_HASHES = passwords._hashes


@pytest.fixture(scope="module", autouse=True)
def _cheap_hashes() -> Iterator[None]:
    """Hash passwords at a hundredth of the cost: nearly every test signs somebody in."""
    cheap = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hashes", cheap)
        yield


@pytest.fixture
def real_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords as in production."""
    monkeypatch.setattr(passwords, "_hashes", _REAL_HASHES)


@pytest.fixture(scope="session")
def _shared_url(cluster: Cluster, migrated_template: str) -> Iterator[str]:
    with cluster.database(migrated_template) as name:
        yield cluster.url(name)


@pytest.fixture(scope="session")
def _reading_app(_shared_url: str) -> FastAPI:
    return create_app(settings_for(_shared_url))


@pytest.fixture(scope="session")
def client(_reading_app: FastAPI) -> Iterator[httpx.Client]:
    """Give a client of the application on the rows that a test adds through `session`."""
    with serving(_reading_app) as client:
        yield client


@pytest.fixture(scope="session")
def _shared_connection(_shared_url: str) -> Iterator[Connection]:
    with engine_for(_shared_url).connect() as connection:
        yield connection


@pytest.fixture
def session(
    _shared_connection: Connection, _reading_app: FastAPI, client: httpx.Client
) -> Iterator[Session]:
    """Give a session on the database of `client`; its rows go at the end."""
    with _told_session(_shared_connection, _reading_app) as session:
        yield session
        session.rollback()
        session.execute(text("TRUNCATE users CASCADE"))
        session.commit()


@pytest.fixture(scope="session")
def _service_url(cluster: Cluster, migrated_template: str) -> Iterator[str]:
    with cluster.database(migrated_template) as name:
        yield cluster.url(name)


@pytest.fixture(scope="session")
def _writing_app(_service_url: str) -> FastAPI:
    return create_app(settings_for(_service_url))


@pytest.fixture(scope="session")
def service(_writing_app: FastAPI) -> Iterator[httpx.Client]:
    """Give a client of the application for people who write by it: what they make stays."""
    with serving(_writing_app) as client:
        yield client


@pytest.fixture(scope="session")
def _service_connection(_service_url: str) -> Iterator[Connection]:
    with engine_for(_service_url).connect() as connection:
        yield connection


@pytest.fixture
def kept_session(
    _service_connection: Connection, _writing_app: FastAPI, service: httpx.Client
) -> Iterator[Session]:
    """Give a session on the database of `service`."""
    with _told_session(_service_connection, _writing_app) as session:
        yield session


@contextmanager
def _told_session(connection: Connection, app: FastAPI) -> Iterator[Session]:
    """Give a session after whose commits the application keeps nothing: they tell no event."""
    with Session(connection) as session:
        event.listen(session, "after_commit", lambda _: app.state.resources.answers.clear())
        yield session


@pytest.fixture(scope="session")
def seeded_client(cluster: Cluster, seeded_template: str) -> Iterator[httpx.Client]:
    """Give a client of the application on the stories, shared by tests that only read."""
    with (
        cluster.database(seeded_template) as name,
        serving(create_app(settings_for(cluster.url(name)))) as client,
    ):
        yield client


@pytest.fixture
def replicas(seeded_url: str) -> Iterator[tuple[Replica, Replica]]:
    with ExitStack() as stack:
        yield stack.enter_context(replica(seeded_url)), stack.enter_context(replica(seeded_url))
