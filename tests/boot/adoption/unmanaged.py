"""Databases without a revision, and what adopting them leads to."""

from dataclasses import replace
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from alembic_boot.adoption.adopt import adopt
from alembic_boot.adoption.history_replay import Replay
from alembic_boot.adoption.schema_matching import Matches, match_schema
from alembic_boot.adoption.schema_selection import read_beside
from alembic_boot.description import AlembicConfig, BootDescription, SchemaPolicy
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import SchemaUnmanagedError
from alembic_boot.migration.migrate import migrate
from alembic_boot.postgres.urls import parse_database_url
from backend.settings import load_settings
from tests.cluster import OWNER, Cluster
from tests.scenarios.process import ForeignProject, revisions


def described(cluster: Cluster, database: str, target: str | None = None) -> BootDescription:
    url = {"DATABASE_URL": cluster.url(database)}
    description = load_settings(url, Path("/nonexistent")).description()
    return replace(description, schema=SchemaPolicy(target))


def make_at(cluster: Cluster, database: str, revision: str) -> None:
    """Bring a database to a revision of ours by the migrations, and forget that."""
    migrate(described(cluster, database, revision))
    cluster.execute("DROP TABLE alembic_version, schema_journal", database)


def journal(cluster: Cluster, database: str) -> list[str]:
    rows = cluster.query(
        "SELECT direction || ' ' || revision || ' ' || status FROM schema_journal ORDER BY id",
        database,
    )
    return [str(line) for (line,) in rows]


def scratches(cluster: Cluster) -> list[str]:
    rows = cluster.query("SELECT datname FROM pg_database WHERE datname LIKE '%scratch%'")
    return [str(name) for (name,) in rows]


class Theirs:
    """Somebody's project, beside a database of theirs."""

    def __init__(self, folder: Path, cluster: Cluster, database: str) -> None:
        self.project = ForeignProject(folder / "theirs")
        self.cluster = cluster
        self.database = database

    @property
    def boot(self) -> BootDescription:
        boot = described(self.cluster, self.database, "heads")
        return replace(boot, alembic_config=AlembicConfig(self.project.config))

    def write_env(self, text: str) -> None:
        (self.project.folder / "scripts" / "env.py").write_text(text)

    def adopt(self, revision: str | None = None) -> None:
        adopt(self.boot, revision)

    def migrate(self) -> None:
        migrate(self.boot)

    def refusal(self, revision: str | None = None) -> str:
        """Return why it is not adopted; nothing is recorded, and no scratch is left."""
        with pytest.raises(SchemaUnmanagedError) as caught:
            self.adopt(revision)
        assert self.revisions() == []
        assert scratches(self.cluster) == []
        return str(caught.value)

    def revisions(self) -> list[str]:
        return revisions(self.cluster, self.database)

    def journal(self) -> list[str]:
        return journal(self.cluster, self.database)

    def execute(self, statement: str) -> None:
        self.cluster.execute(f"SET ROLE {OWNER}; {statement}", self.database)

    def query(self, statement: str) -> list[tuple[object, ...]]:
        return self.cluster.query(statement, self.database)


def made(*names: str) -> str:
    """Return what makes the tables as `op.create_table` does."""
    return "; ".join(
        f"CREATE TABLE t_{name} (id serial, CONSTRAINT t_{name}_pkey PRIMARY KEY (id))"
        for name in names
    )


class Beside:
    """A transaction in an unmanaged database, and the history replayed beside it."""

    def __init__(self, connection: Connection, replay: Replay) -> None:
        self.connection = connection
        self.replay = replay

    def match_schema(self, *statements: str) -> Matches:
        """Compare the database as these statements make it; they are rolled back."""
        try:
            with self.connection.cursor() as cursor:
                for statement in filter(None, statements):
                    cursor.execute(statement)
            found = read_beside(self.connection, VersionTable(), self.replay.other_schemas)
        finally:
            self.connection.rollback()
        return match_schema(found, self.replay.points)


def replayed(cluster: Cluster, config: Path | None, user: str = OWNER) -> Replay:
    """Replay a history, ours or another."""
    with cluster.database() as scratch:
        boot = described(cluster, scratch)
        url = parse_database_url(cluster.url(scratch, user=user))
        alembic = AlembicConfig(config) if config else boot.alembic_config
        replay = Replay(url, open_project(alembic, url))
        replay.run()
        return replay
