"""The description of a boot: plain frozen data that the caller fills in."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from alembic_boot.postgres.urls import DatabaseUrl


class OnFailure(StrEnum):
    """What `start` does when the schema cannot be brought to its target."""

    CONTINUE = "continue"
    EXIT = "exit"


@dataclass(frozen=True)
class SchemaPolicy:
    """Where the schema should be, and which ways there are allowed."""

    target: str | None = None
    """A revision, `head`, `heads` or `base`; None is head, or its parent where rolling back."""
    rollback: bool = False
    """Whether going down to the target is asked for."""
    disposal: str | None = None
    """How people throw this database away, as a clause of a sentence; None if its data counts."""
    lock_timeout: float = 300
    """Seconds to wait for another starter that works on the schema."""
    traffic_timeout: float = 120
    """Seconds that live traffic may hold migrations off."""


@dataclass(frozen=True)
class ServePolicy:
    """How the application is served."""

    host: str
    port: int
    """0 takes any free port."""
    reload: bool
    workers: int
    drain_delay: float = 0
    """Seconds that SIGTERM leaves it taking requests, no longer ready, for balancers to notice."""
    forwarded_allow_ips: str = "127.0.0.1"
    """The proxies whose X-Forwarded-For says who asks, as Uvicorn takes them."""


@dataclass(frozen=True)
class AlembicConfig:
    """What Alembic's command line is told of a project."""

    file: Path
    """`alembic.ini` or `pyproject.toml`; the other one is read as well if it lies beside it."""
    name: str = "alembic"
    """The section of `alembic.ini`, as `alembic -n` names it."""
    arguments: tuple[str, ...] = field(default=(), repr=False)
    """Each `alembic -x`."""


@dataclass(frozen=True)
class BootDescription:
    """One Alembic project, its database and its application."""

    database_url: DatabaseUrl
    """Where the application connects."""
    migration_database_url: DatabaseUrl
    """Where boot works: a direct connection of the schema's owner."""
    scratch_database_url: DatabaseUrl | None
    """An empty database for replays; None makes one beside the real one."""
    alembic_config: AlembicConfig
    asgi_app: str
    """`module:attribute`"""
    seed_callable: str
    """`module:attribute`, called with a SQLAlchemy connection inside a transaction"""
    schema: SchemaPolicy
    serve: ServePolicy
    seed: bool
    on_failure: OnFailure
    wait_timeout: float
    """Seconds."""
    may_create_database: bool
    log_level: str
    log_format: str
    preload: tuple[str, ...] = ()
    """Libraries that the application needs, whose import takes long and does nothing."""
    app_version: str | None = None
    """The release, for the journal."""
    compare_models: bool = False
    """Whether to compare the models with the schema while it serves."""
