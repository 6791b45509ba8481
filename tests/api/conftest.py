"""Fixtures: databases made by the migrations and the seeds, and the application on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from sqlalchemy import Engine, NullPool, create_engine, event, text
from sqlalchemy.orm import Session

from backend.main import create_app
from backend.seeds import seed
from backend.settings import Settings, load_settings
from tests.api.server import serving
from tests.cluster import Cluster

ALEMBIC_INI = Path(__file__).parents[2] / "alembic.ini"


SECRET = "a long text that signs the tokens of tests"


def settings_for(url: str, **variables: str) -> Settings:
    """Return the settings of a test that runs on this database."""
    return load_settings(
        {
            "APP_ENV": "test",
            "JWT_SECRET": SECRET,
            "SIGN_IN_LIMITS": "false",
            "DATABASE_URL": url,
            "ALEMBIC_CONFIG": str(ALEMBIC_INI),
            **variables,
        }
    )


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for this database."""
    config = Config(ALEMBIC_INI)
    config.set_main_option("sqlalchemy.url", _sqlalchemy_url(url).replace("%", "%%"))
    return config


def engine_for(url: str) -> Engine:
    """Return an engine that keeps no connection: a database with guests can't be a template."""
    return create_engine(_sqlalchemy_url(url), poolclass=NullPool)


def _sqlalchemy_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


@pytest.fixture(scope="session")
def migrated_template(cluster: Cluster) -> Iterator[str]:
    """Give the name of a database at head, without rows: to be cloned and left alone."""
    with cluster.database() as name:
        command.upgrade(alembic_config(cluster.url(name)), "head")
        yield name


@pytest.fixture(scope="session")
def seeded_template(cluster: Cluster, migrated_template: str) -> Iterator[str]:
    """Give the name of a database at head with the stories: to be cloned and left alone."""
    with cluster.database(migrated_template) as name:
        with engine_for(cluster.url(name)).begin() as connection:
            seed(connection)
        yield name


@pytest.fixture
def seeded_url(cluster: Cluster, seeded_template: str) -> Iterator[str]:
    """Give the URL of a database of the test's own: at head, with the stories."""
    with cluster.database(seeded_template) as name:
        yield cluster.url(name)


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


@pytest.fixture
def session(_shared_url: str, _reading_app: FastAPI, client: httpx.Client) -> Iterator[Session]:
    """Give a session on the database of `client`; its rows go at the end."""
    with _told_session(_shared_url, _reading_app) as session:
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


@pytest.fixture
def kept_session(
    _service_url: str, _writing_app: FastAPI, service: httpx.Client
) -> Iterator[Session]:
    """Give a session on the database of `service`."""
    with _told_session(_service_url, _writing_app) as session:
        yield session


@contextmanager
def _told_session(url: str, app: FastAPI) -> Iterator[Session]:
    """Give a session after whose commits the application keeps nothing: they tell no event."""
    with Session(engine_for(url)) as session:
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
