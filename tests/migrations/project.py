"""The repository's Alembic project, pointed at a test's database."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, NullPool, create_engine

ROOT = Path(__file__).parents[2]


def sqlalchemy_url(url: str) -> str:
    """Name the driver, which SQLAlchemy would otherwise choose differently."""
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def config_for(url: str) -> Config:
    """Return the configuration by which Alembic works on the database at the URL."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("sqlalchemy.url", sqlalchemy_url(url).replace("%", "%%"))
    return config


def engine_for(url: str) -> Engine:
    """Return an engine that keeps no connection, so that databases can be dropped and copied."""
    return create_engine(sqlalchemy_url(url), poolclass=NullPool)


def revisions() -> list[str]:
    """Return the revisions on disk, oldest first."""
    scripts = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))
    return [script.revision for script in scripts.walk_revisions()][::-1]
