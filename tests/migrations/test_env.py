"""How env.py finds the database, and what it leaves alone."""

import io
import logging
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from tests.cluster import Cluster
from tests.migrations.project import ROOT, config_for, engine_for

DATABASE_VARIABLES = (
    "APP_ENV",
    "DATABASE_URL",
    "MIGRATION_DATABASE_URL",
    "POSTGRES_HOST",
    "POSTGRES_PORT",
    "POSTGRES_USER",
    "POSTGRES_PASSWORD",
    "POSTGRES_PASSWORD_FILE",
    "POSTGRES_DB",
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the developer's own database out: that of the environment and that of `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in DATABASE_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def version(url: str) -> list[str]:
    """Return the revision that a database says it is at."""
    with engine_for(url).connect() as connection:
        return list(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())


def test_the_environment_names_the_database(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bare `alembic upgrade` works where DATABASE_URL is set."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    command.upgrade(Config(ROOT / "alembic.ini"), "001")
    assert version(database_url) == ["001"]


def test_the_caller_wins_over_the_environment(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL in the configuration is the one that is used."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    command.upgrade(config_for(database_url), "001")
    assert version(database_url) == ["001"]


def test_no_database_is_one_sentence() -> None:
    """Without any database Alembic says what to do, and no traceback."""
    with pytest.raises(CommandError, match="No database configured: set DATABASE_URL"):
        command.current(Config(ROOT / "alembic.ini"))


def test_a_percent_sign_in_the_password(cluster: Cluster, database: str) -> None:
    """A URL-encoded password reaches PostgreSQL as it is meant."""
    cluster.execute("CREATE ROLE percent LOGIN SUPERUSER PASSWORD '50%@/:'")
    try:
        url = cluster.url(database, user="percent", password="50%25%40%2F%3A")
        command.upgrade(config_for(url), "001")
        assert version(url) == ["001"]
    finally:
        cluster.execute("DROP OWNED BY percent CASCADE", database)
        cluster.execute("DROP ROLE percent")


def test_sql_needs_no_database() -> None:
    """The whole history can be printed as SQL, one transaction a revision."""
    output = io.StringIO()
    config = Config(ROOT / "alembic.ini", output_buffer=output)
    command.upgrade(config, "001:008", sql=True)
    command.downgrade(config, "008:base", sql=True)
    assert output.getvalue().count("COMMIT;") == 7 + 8


def test_loggers_stay_as_they_are(database_url: str) -> None:
    """Alembic in the process of the service changes neither its handlers nor its loggers."""
    logger = logging.getLogger("somebody.else")
    handlers = list(logging.getLogger().handlers)
    command.upgrade(config_for(database_url), "001")
    assert not logger.disabled
    assert handlers == logging.getLogger().handlers
