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
from tests.scenarios.foreign_histories import Migrated, assert_whole, three_revisions
from tests.scenarios.process import (
    ALEMBIC_LOGGING,
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
class Foreign(Migrated):
    """Somebody's project beside its database, and `inv` pointed at both."""

    project: ForeignProject
    root: Path
    url: str
    variables: dict[str, str] = field(default_factory=dict)

    def inv(self, *arguments: str, **variables: str) -> Finished:
        """Run a task on the project."""
        known = {"ALEMBIC_CONFIG": str(self.project.config), "DATABASE_URL": self.url}
        return run(self.root, *arguments, **{**known, **self.variables, **variables})

    def migrate(self) -> Finished:
        """Bring the database to its target."""
        return self.inv("migrate")

    def roll_back(self, target: str) -> Finished:
        """Take the database back to a revision."""
        return self.inv("rollback", "--target", target, "--yes")

    def status(self) -> dict[str, object]:
        """Return what `inv status --json` says."""
        finished = self.inv("status", "--json")
        assert finished.status == 0, finished
        [line] = finished.stdout
        found: dict[str, object] = json.loads(line)
        assert set(found) == KEYS
        return found


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
    theirs = foreign(tmp_path, database_url, env=LOGGING_ENV, ini=FOREIGN_INI + ALEMBIC_LOGGING)
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
