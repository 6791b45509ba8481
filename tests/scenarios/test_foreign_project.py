"""Projects unlike ours: their own logging, folder and drivers, and `alembic` by hand.

More of them, in this process, are in tests/boot/environment.
"""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.history import HEAD
from tests.scenarios.envs import (
    ASYNC_ENV,
)
from tests.scenarios.process import (
    FOREIGN_ENV,
    FOREIGN_INI,
    INV,
    Finished,
    ForeignProject,
    project,
    relations,
    run,
    write_revision,
)

pytestmark = pytest.mark.slow


KEYS = {
    "state",
    "current",
    "heads",
    "target",
    "pending",
    "database",
    "server_version",
    "journal",
}


@dataclass(frozen=True)
class Foreign:
    """Somebody's project beside its database, and `inv` pointed at both."""

    project: ForeignProject
    root: Path
    url: str
    variables: dict[str, str] = field(default_factory=dict)

    def inv(self, *arguments: str, **variables: str) -> Finished:
        """Run a task on the project."""
        known = {"ALEMBIC_CONFIG": str(self.project.config), "DATABASE_URL": self.url}
        return run(self.root, *arguments, **{**known, **self.variables, **variables})

    def status(self) -> dict[str, object]:
        """Return what `inv status --json` says."""
        finished = self.inv("status", "--json")
        assert finished.status == 0, finished
        [line] = finished.stdout
        found: dict[str, object] = json.loads(line)
        assert set(found) == KEYS
        return found

    def assert_migrates(self, current: list[str], pending: list[str]) -> Finished:
        """Migrate an empty database, look at its status before and after, and migrate again."""
        before = self.status()
        assert (before["state"], before["current"], before["pending"]) == ("empty", [], pending)
        finished = self.inv("migrate")
        finished.assert_ok()
        finished.assert_says(
            "Running database migrations...",
            *(f"Applied {revision} Foreign {revision} (… ms)" for revision in pending),
            "Database migrations completed successfully",
            "Schema revision: " + ", ".join(current) + "…",
            "Tables: …",
        )
        after = self.status()
        assert (after["state"], after["current"], after["pending"]) == ("current", current, [])
        again = self.inv("migrate")
        again.assert_ok()
        again.assert_says("Database migrations completed successfully (already up to date)")
        return finished


def foreign(
    tmp_path: Path,
    url: str,
    *,
    env: str = FOREIGN_ENV,
    ini: str = FOREIGN_INI,
    ini_name: str = "alembic.ini",
    **variables: str,
) -> Foreign:
    """Make an empty project in a folder of its own."""
    theirs = ForeignProject(tmp_path / "theirs", env, ini, ini_name)
    return Foreign(theirs, project(tmp_path), url, variables)


LOGGING_INI = (
    FOREIGN_INI
    + """
[loggers]
keys = root,sqlalchemy,alembic
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARNING
handlers = console
qualname =
[logger_sqlalchemy]
level = WARNING
handlers =
qualname = sqlalchemy.engine
[logger_alembic]
level = INFO
handlers =
qualname = alembic
[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic
[formatter_generic]
format = %(levelname)-5.5s [%(name)s] %(message)s
"""
)


LOGGING_ENV = (
    """
from logging.config import fileConfig

from alembic import context

fileConfig(context.config.config_file_name)
"""
    + FOREIGN_ENV
)


def test_file_config(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """An env.py that sets logging up by itself, as Alembic's template does, silences nothing."""
    theirs = foreign(tmp_path, database_url, env=LOGGING_ENV, ini=LOGGING_INI)
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1")
    theirs.assert_migrates(["b2"], ["a1", "b2"])
    assert relations(cluster, database) == ["alembic_version", "t_a1", "t_b2"]
    lines = theirs.inv("migrate", LOG_FORMAT="json").stdout
    assert [json.loads(line)["message"] for line in lines][-1] == "Schema revision: b2 (head)"


RELATIVE_INI = """
[alembic]
script_location = scripts
prepend_sys_path = .
"""


@pytest.mark.parametrize(
    "more",
    [
        "",
        "path_separator = os\nversion_locations = scripts/versions:more\n",
        "version_locations = scripts/versions more\n",
    ],
    ids=["plain", "locations", "of-old"],
)
def test_relative_paths(tmp_path: Path, database_url: str, more: str) -> None:
    """They start from the folder of the configuration, where people run Alembic themselves: its
    env.py finds the project's own packages, and nothing of ours is taken for theirs.
    """
    env = f"from garage.models import metadata\n{FOREIGN_ENV}"
    theirs = foreign(tmp_path, database_url, env=env, ini=RELATIVE_INI + more)
    folder = theirs.project.folder
    (folder / "garage").mkdir()
    (folder / "garage" / "models.py").write_text(
        "import sqlalchemy\nmetadata = sqlalchemy.MetaData()\n"
    )
    theirs.project.revision("a1")
    if more:
        (folder / "more").mkdir()
        theirs.project.revision("b2", "a1", folder=folder / "more")
    theirs.assert_migrates(["b2" if more else "a1"], ["a1", "b2"] if more else ["a1"])


def journal(cluster: Cluster, database: str, table: str = "schema_journal") -> list[str]:
    """Return what the journal says, a line for each row in their order."""
    rows = cluster.query(
        f"SELECT concat_ws(' ', direction, revision, status) FROM {table} ORDER BY id", database
    )
    return [str(line) for (line,) in rows]


def three_revisions(theirs: Foreign) -> None:
    """Add a history with an autocommit block in its middle."""
    theirs.project.revision("a1")
    theirs.project.revision(
        "b2",
        "a1",
        """
        op.create_table("t_b2", sa.Column("id", sa.Integer, primary_key=True))
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY ix ON t_a1 (id)")
        op.create_table("t_b2_more", sa.Column("id", sa.Integer, primary_key=True))
        """,
        'op.drop_table("t_b2_more"); op.drop_index("ix"); op.drop_table("t_b2")',
    )
    theirs.project.revision("c3", "b2")


def assert_whole(theirs: Foreign, cluster: Cluster, database: str, starts: int = 3) -> None:
    """Migrate, take it all back, migrate again; the journal has a row for each step.

    `starts` says of how many the session's start was seen.
    """
    theirs.assert_migrates(["c3"], ["a1", "b2", "c3"])
    up = [f"upgrade {name} applied" for name in ("a1", "b2", "c3")]
    assert journal(cluster, database) == up
    assert cluster.query(
        "SELECT count(DISTINCT backend_pid), count(backend_start), bool_and(backend_pid > 0)"
        " FROM schema_journal",
        database,
    ) == [(1, starts, True)]
    theirs.inv("rollback", "--target", "base", "--yes").assert_ok()
    down = [f"downgrade {name} applied" for name in ("c3", "b2", "a1")]
    assert journal(cluster, database) == up + down
    theirs.inv("migrate").assert_ok()
    assert journal(cluster, database) == up + down + up


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_async(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, driver: str
) -> None:
    """An env.py of Alembic's async template."""
    theirs = foreign(tmp_path, database_url, env=ASYNC_ENV.replace("DRIVER", driver))
    three_revisions(theirs)
    assert_whole(theirs, cluster, database)


def test_statements_stay_out_of_the_journal(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """By hand as by `inv`: the journal keeps the cause, not the statement with what it holds."""
    root = project(tmp_path)
    write_revision(
        root / "alembic" / "versions", "901", HEAD, "op.execute(\"SELECT 1/0, 's3cret'\")"
    )
    subprocess.run(
        [str(INV.with_name("alembic")), "upgrade", "head"],
        cwd=root,
        env={"PATH": os.defpath, "DATABASE_URL": database_url},
        check=False,
        capture_output=True,
    )
    [(status, error)] = cluster.query(
        "SELECT status, error FROM schema_journal WHERE revision = '901'", database
    )
    assert (status, "division by zero" in str(error)) == ("failed", True)
    assert "s3cret" not in str(error)
