"""Boot is a general tool: Alembic projects unlike ours migrate with nothing but two variables."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.scenarios.process import (
    FOREIGN_ENV,
    FOREIGN_INI,
    Finished,
    ForeignProject,
    assert_untouched,
    project,
    relations,
    revisions,
    run,
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


def test_version_table_elsewhere(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A version table of another name, in another schema, is where the revision is read."""
    cluster.execute("CREATE SCHEMA meta AUTHORIZATION moriai_user", database)
    env = FOREIGN_ENV.replace(
        "target_metadata=None",
        'target_metadata=None, version_table="applied", version_table_schema="meta"',
    )
    theirs = foreign(tmp_path, database_url, env=env)
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1")
    theirs.assert_migrates(["b2"], ["a1", "b2"])
    assert relations(cluster, database) == ["meta.applied", "t_a1", "t_b2"]
    assert revisions(cluster, database, "meta.applied") == ["b2"]


def test_pyproject(tmp_path: Path, database_url: str) -> None:
    """The project may be described in a pyproject.toml."""
    ini = '[project]\nname = "theirs"\n\n[tool.alembic]\nscript_location = "%(here)s/scripts"\n'
    theirs = foreign(tmp_path, database_url, ini=ini, ini_name="pyproject.toml")
    theirs.project.revision("a1")
    theirs.assert_migrates(["a1"], ["a1"])


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


def test_location_of_the_name_that_ours_has(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """`script_location = alembic` means the folder beside that configuration, not ours."""
    theirs = foreign(tmp_path, database_url, ini="[alembic]\nscript_location = alembic\n")
    (theirs.project.folder / "scripts").rename(theirs.project.folder / "alembic")
    theirs.project.revision("a1", folder=theirs.project.folder / "alembic" / "versions")
    theirs.assert_migrates(["a1"], ["a1"])
    assert relations(cluster, database) == ["alembic_version", "t_a1"]


def test_several_version_locations(tmp_path: Path, database_url: str) -> None:
    """Revisions may lie in several folders."""
    ini = FOREIGN_INI + (
        "path_separator = newline\n"
        "version_locations =\n    %(here)s/scripts/versions\n    %(here)s/more\n"
    )
    theirs = foreign(tmp_path, database_url, ini=ini)
    more = theirs.project.folder / "more"
    more.mkdir()
    theirs.project.revision("a1")
    theirs.project.revision("b2", "a1", folder=more)
    theirs.project.revision("c3", "b2")
    theirs.assert_migrates(["c3"], ["a1", "b2", "c3"])


def test_merge(tmp_path: Path, database_url: str) -> None:
    """Two branches that meet again are one head."""
    theirs = foreign(tmp_path, database_url)
    theirs.project.revision("a1")
    theirs.project.revision("b1", "a1")
    theirs.project.revision("b2", "a1")
    theirs.project.revision("c1", ("b1", "b2"), "pass", "pass")
    status = theirs.status()
    assert status["heads"] == ["c1"]
    finished = theirs.inv("migrate")
    finished.assert_ok()
    finished.assert_says("Applied a1 …", "Applied c1 …", "Schema revision: c1 (head)")
    assert theirs.status()["state"] == "current"
    back = theirs.inv("migrate", MIGRATION_TARGET="a1", MIGRATION_ROLLBACK="true")
    back.assert_ok()
    back.assert_says("Reverted c1 …", "Schema revision: a1")
    behind = theirs.status()
    assert (behind["state"], behind["pending"]) == ("behind", ["b1", "b2", "c1"])
    refused = theirs.inv("migrate", MIGRATION_ROLLBACK="true")
    refused.assert_failed(
        2,
        "Rolling back means the parent of head, and c1 has 2 parents. "
        "Name the revision to go down to: MIGRATION_TARGET, or --target.",
    )


def labelled(tmp_path: Path, url: str) -> Foreign:
    theirs = foreign(tmp_path, url)
    theirs.project.revision("a1", constants='branch_labels = ("shop",)')
    theirs.project.revision("a2", "a1")
    theirs.project.revision("b1", constants='branch_labels = ("blog",)')
    theirs.project.revision("b2", "b1")
    return theirs


def test_branch_labels(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """Independent branches refuse the target `head`, and go up to `heads`."""
    theirs = labelled(tmp_path, database_url)
    theirs.inv("migrate").assert_failed(9, "The history has 2 heads: a2, b2. …")
    assert_untouched(cluster, database)
    pinned = Foreign(theirs.project, theirs.root, theirs.url, {"MIGRATION_TARGET": "heads"})
    assert pinned.status()["heads"] == ["a2", "b2"]
    finished = pinned.inv("migrate")
    finished.assert_ok()
    finished.assert_says("Schema revision: a2, b2 (head)")
    status = pinned.status()
    assert (status["state"], status["current"], status["target"]) == (
        "current",
        ["a2", "b2"],
        "heads",
    )


def test_head_of_a_branch(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A target may be the head of one branch by its label."""
    theirs = labelled(tmp_path, database_url)
    theirs.inv("migrate", MIGRATION_TARGET="shop@head").assert_ok()
    assert revisions(cluster, database) == ["a2"]
    theirs.inv("migrate", MIGRATION_TARGET="heads").assert_ok()
    assert revisions(cluster, database) == ["a2", "b2"]


def test_depends_on(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """With depends_on the version table may hold fewer rows than heads: it is current."""
    theirs = foreign(tmp_path, database_url, MIGRATION_TARGET="heads")
    theirs.project.revision("a1")
    theirs.project.revision("b1", None)
    theirs.project.revision("b2", "b1", constants='depends_on = "a1"')
    assert theirs.status()["heads"] == ["a1", "b2"]
    theirs.inv("migrate").assert_ok()
    assert revisions(cluster, database) == ["b2"]
    status = theirs.status()
    assert (status["state"], status["pending"]) == ("current", [])
    theirs.inv("migrate").assert_says("…(already up to date)")


def test_autocommit_block(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A revision may build an index concurrently, outside of any transaction."""
    theirs = foreign(tmp_path, database_url)
    theirs.project.revision("a1")
    theirs.project.revision(
        "b2",
        "a1",
        """
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY ix ON t_a1 (id)")
        """,
        'op.drop_index("ix")',
    )
    theirs.assert_migrates(["b2"], ["a1", "b2"])
    assert cluster.query(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix'::regclass", database
    ) == [(True,)]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ('raise RuntimeError("no kettle")', "RuntimeError: no kettle"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import os; os.environ['X']", "KeyError: the environment variable X is not set"),
        ("def broken(:", "invalid syntax"),
    ],
)
@pytest.mark.parametrize("task", ["migrate", "status"])
def test_broken_env(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    database_url: str,
    line: str,
    cause: str,
    task: str,
) -> None:
    """An env.py that does not run is a failed migration, said in one sentence."""
    theirs = foreign(tmp_path, database_url, env=f"{line}\n{FOREIGN_ENV}")
    theirs.project.revision("a1")
    finished = theirs.inv(task)
    finished.assert_failed(
        5,
        f"Alembic's env.py failed: env.py, line 1: {cause}. "
        "Fix it and start again. Nothing was changed.",
    )
    assert_untouched(cluster, database)


def test_env_that_does_nothing(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """An env.py that never calls configure() is no env.py."""
    theirs = foreign(tmp_path, database_url, env="")
    theirs.project.revision("a1")
    theirs.inv("migrate").assert_failed(
        2,
        "…env.py never calls context.configure() and context.run_migrations(). "
        "Let it configure and run the migrations, as Alembic's templates do.",
    )
    assert_untouched(cluster, database)


def test_env_that_commits_nothing(tmp_path: Path, database_url: str) -> None:
    """A success that the database does not show is a failure."""
    env = FOREIGN_ENV.replace(
        "    context.configure(",
        '    connection.exec_driver_sql("SELECT 1")\n    context.configure(',
    )
    theirs = foreign(tmp_path, database_url, env=env)
    theirs.project.revision("a1")
    theirs.inv("migrate").assert_failed(
        5,
        "The migrations reported success, but the database is at base instead of a1. "
        "A revision or env.py left its transaction uncommitted, or works on another database.",
    )


def test_env_with_a_url_of_its_own(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """An env.py that ignores the URL it is given is found out before it changes anything."""
    with cluster.database() as other:
        env = FOREIGN_ENV.replace(
            "config = context.config",
            f'config = context.config\nURL = "{cluster.url(other)}"\n'
            'config.set_main_option("sqlalchemy.url", URL.replace("ql://", "ql+psycopg2://"))',
        )
        theirs = foreign(tmp_path, database_url, env=env)
        theirs.project.revision("a1")
        theirs.inv("migrate").assert_failed(
            2,
            "Alembic's env.py connects to another database than the one it was given. Let it take "
            "sqlalchemy.url from the Alembic configuration, or set DATABASE_URL to where it goes. "
            "Nothing was changed.",
        )
        assert_untouched(cluster, other)
    assert_untouched(cluster, database)


def test_missing_script_location(tmp_path: Path, database_url: str) -> None:
    """A configuration that leads nowhere is a wrong setting."""
    theirs = foreign(tmp_path, database_url, ini="[alembic]\nscript_location = %(here)s/nowhere\n")
    finished = theirs.inv("migrate")
    finished.assert_failed(
        2,
        "…alembic.ini describes no Alembic project: … "
        "Fix it; script_location names the folder with env.py.",
    )


@pytest.mark.parametrize("name", ["alembic.ini", "pyproject.toml"])
@pytest.mark.parametrize("content", [b"neither ini nor toml\n", b"\xff\xfe", b""])
def test_configuration_that_is_none(
    tmp_path: Path, database_url: str, name: str, content: bytes
) -> None:
    """A file that is no configuration at all is a wrong setting too."""
    theirs = foreign(tmp_path, database_url, ini_name=name)
    theirs.project.config.write_bytes(content)
    theirs.inv("migrate").assert_failed(2, f"…{name} describes no Alembic project: …")
