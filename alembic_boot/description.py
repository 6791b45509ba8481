"""The description of a boot: plain frozen data from the caller."""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path

from alembic_boot.postgres.urls import DatabaseUrl


class OnFailure(StrEnum):
    """The action of `start` if the schema cannot be brought to its target."""

    CONTINUE = "continue"
    EXIT = "exit"


@dataclass(frozen=True)
class SchemaPolicy:
    """The target of the schema, and the allowed ways to it."""

    target: str | None = None
    """A revision, `head`, `heads` or `base`; None is head, or with `rollback` its parent."""
    rollback: bool = False
    """Whether a downgrade to the target is requested."""
    disposal: str | None = None
    """How to throw this database away, as a clause of a sentence; None if its data counts."""
    lock_timeout: float = 300
    """Seconds to wait for another starter that works on the schema."""
    traffic_timeout: float = 120
    """Seconds for which live traffic may block migrations."""


@dataclass(frozen=True)
class ServePolicy:
    """The settings of the server."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 means any free port."""
    reload: bool = False
    workers: int = 1
    drain_delay: float = 0
    """Seconds to keep serving after SIGTERM while readiness returns 503."""
    forwarded_allow_ips: str = "127.0.0.1"
    """The proxies whose X-Forwarded-For names the client, in Uvicorn's form."""


@dataclass(frozen=True)
class AlembicConfig:
    """The options of Alembic's command line for a project."""

    file: Path
    """`alembic.ini` or `pyproject.toml`; the other file beside it is read as well."""
    name: str = "alembic"
    """The section of `alembic.ini`, as in `alembic -n`."""
    arguments: tuple[str, ...] = field(default=(), repr=False)
    """Each `alembic -x`."""
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Options of that section, set by a program; with these, there need not be a file."""
    working_folder: Path | None = None
    """The folder in which env.py runs, from which relative paths start; None is that of `file`."""

    @property
    def folder(self) -> Path:
        """Return the working folder."""
        return self.working_folder or self.file.absolute().parent


@dataclass(frozen=True, kw_only=True)
class BootSettings:
    """One Alembic project and its application, without a database."""

    alembic_config: AlembicConfig
    scratch_database_url: DatabaseUrl | None = None
    """A database that is marked as one for replays; None: make one beside the real one."""
    asgi_app: str = ""
    """`module:attribute`"""
    seed_callable: str = ""
    """`module:attribute`, called with a connection or a session inside a transaction."""
    schema: SchemaPolicy = SchemaPolicy()
    serve: ServePolicy = ServePolicy()
    seed: bool = False
    on_failure: OnFailure = OnFailure.EXIT
    wait_timeout: float = 60
    """Seconds."""
    may_create_database: bool = False
    log_level: str = "info"
    log_format: str = "text"
    preload: tuple[str, ...] = ()
    """Libraries of the application whose import takes long and has no side effects."""
    app_version: str | None = None
    """The release, for the journal."""
    compare_models: bool = False
    """Whether to compare the models with the schema while serving."""

    def on(self, url: DatabaseUrl, migration_url: DatabaseUrl) -> "BootDescription":
        """Return the boot of these settings on a database."""
        shared = {it.name: getattr(self, it.name) for it in fields(BootSettings)}
        return BootDescription(**shared, database_url=url, migration_database_url=migration_url)


@dataclass(frozen=True, kw_only=True)
class BootDescription(BootSettings):
    """One Alembic project, its database and its application."""

    database_url: DatabaseUrl
    """The URL of the application's connections."""
    migration_database_url: DatabaseUrl
    """The URL of boot's connections: a direct connection of the schema's owner."""
