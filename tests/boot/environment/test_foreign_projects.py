"""Alembic projects unlike ours migrate with nothing but two variables."""

from pathlib import Path

import pytest

from tests.boot.in_process import Task, Theirs, migrating, reading_status, theirs
from tests.cluster import Cluster
from tests.scenarios.process import (
    FOREIGN_ENV,
    FOREIGN_INI,
    assert_untouched,
    relations,
    revisions,
)

pytestmark = pytest.mark.slow


def test_version_table_elsewhere(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A version table of another name, in another schema, is where the revision is read."""
    cluster.execute("CREATE SCHEMA meta AUTHORIZATION moriai_user", database)
    env = FOREIGN_ENV.replace(
        "target_metadata=None",
        'target_metadata=None, version_table="applied", version_table_schema="meta"',
    )
    their = theirs(tmp_path, database_url, env=env)
    their.project.revision("a1")
    their.project.revision("b2", "a1")
    their.assert_migrates(["b2"], ["a1", "b2"])
    assert relations(cluster, database) == ["meta.applied", "t_a1", "t_b2"]
    assert revisions(cluster, database, "meta.applied") == ["b2"]


def test_pyproject(tmp_path: Path, database_url: str) -> None:
    """The project may be described in a pyproject.toml."""
    ini = '[project]\nname = "theirs"\n\n[tool.alembic]\nscript_location = "%(here)s/scripts"\n'
    their = theirs(tmp_path, database_url, ini=ini, ini_name="pyproject.toml")
    their.project.revision("a1")
    their.assert_migrates(["a1"], ["a1"])


def test_location_of_the_name_that_ours_has(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """`script_location = alembic` means the folder beside that configuration, not ours."""
    their = theirs(tmp_path, database_url, ini="[alembic]\nscript_location = alembic\n")
    (their.project.folder / "scripts").rename(their.project.folder / "alembic")
    their.project.revision("a1", folder=their.project.folder / "alembic" / "versions")
    their.assert_migrates(["a1"], ["a1"])
    assert relations(cluster, database) == ["alembic_version", "t_a1"]


def test_several_version_locations(tmp_path: Path, database_url: str) -> None:
    """Revisions may lie in several folders."""
    ini = FOREIGN_INI + (
        "path_separator = newline\n"
        "version_locations =\n    %(here)s/scripts/versions\n    %(here)s/more\n"
    )
    their = theirs(tmp_path, database_url, ini=ini)
    more = their.project.folder / "more"
    more.mkdir()
    their.project.revision("a1")
    their.project.revision("b2", "a1", folder=more)
    their.project.revision("c3", "b2")
    their.assert_migrates(["c3"], ["a1", "b2", "c3"])


def test_merge(tmp_path: Path, database_url: str) -> None:
    """Two branches that meet again are one head."""
    their = theirs(tmp_path, database_url)
    their.project.revision("a1")
    their.project.revision("b1", "a1")
    their.project.revision("b2", "a1")
    their.project.revision("c1", ("b1", "b2"), "pass", "pass")
    status = their.status()
    assert status["heads"] == ["c1"]
    finished = their.migrate()
    finished.assert_ok()
    finished.assert_says("Applied a1 …", "Applied c1 …", "Schema revision: c1 (head)")
    assert their.status()["state"] == "current"
    back = their.migrate(MIGRATION_TARGET="a1", MIGRATION_ROLLBACK="true")
    back.assert_ok()
    back.assert_says("Reverted c1 …", "Schema revision: a1")
    behind = their.status()
    assert (behind["state"], behind["pending"]) == ("behind", ["b1", "b2", "c1"])
    refused = their.migrate(MIGRATION_ROLLBACK="true")
    refused.assert_failed(
        2,
        "Rolling back means the parent of head, and c1 has 2 parents. "
        "Name the revision to go down to: MIGRATION_TARGET, or --target.",
    )


def labelled(tmp_path: Path, url: str) -> Theirs:
    their = theirs(tmp_path, url)
    their.project.revision("a1", constants='branch_labels = ("shop",)')
    their.project.revision("a2", "a1")
    their.project.revision("b1", constants='branch_labels = ("blog",)')
    their.project.revision("b2", "b1")
    return their


def test_branch_labels(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """Independent branches refuse the target `head`, and go up to `heads`."""
    their = labelled(tmp_path, database_url)
    their.migrate().assert_failed(9, "The history has 2 heads: a2, b2. …")
    assert_untouched(cluster, database)
    pinned = Theirs(their.project, their.url, {"MIGRATION_TARGET": "heads"})
    assert pinned.status()["heads"] == ["a2", "b2"]
    finished = pinned.migrate()
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
    their = labelled(tmp_path, database_url)
    their.migrate(MIGRATION_TARGET="shop@head").assert_ok()
    assert revisions(cluster, database) == ["a2"]
    their.migrate(MIGRATION_TARGET="heads").assert_ok()
    assert revisions(cluster, database) == ["a2", "b2"]


def test_depends_on(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """With depends_on the version table may hold fewer rows than heads: it is current."""
    their = theirs(tmp_path, database_url, MIGRATION_TARGET="heads")
    their.project.revision("a1")
    their.project.revision("b1", None)
    their.project.revision("b2", "b1", constants='depends_on = "a1"')
    assert their.status()["heads"] == ["a1", "b2"]
    their.migrate().assert_ok()
    assert revisions(cluster, database) == ["b2"]
    status = their.status()
    assert (status["state"], status["pending"]) == ("current", [])
    their.migrate().assert_says("…(already up to date)")


def test_autocommit_block(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A revision may build an index concurrently, outside of any transaction."""
    their = theirs(tmp_path, database_url)
    their.project.revision("a1")
    their.project.revision(
        "b2",
        "a1",
        """
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY ix ON t_a1 (id)")
        """,
        'op.drop_index("ix")',
    )
    their.assert_migrates(["b2"], ["a1", "b2"])
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
@pytest.mark.parametrize("task", [migrating, reading_status])
def test_broken_env(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    database_url: str,
    line: str,
    cause: str,
    task: Task,
) -> None:
    """An env.py that does not run is a failed migration, said in one sentence."""
    their = theirs(tmp_path, database_url, env=f"{line}\n{FOREIGN_ENV}")
    their.project.revision("a1")
    finished = their.run(task)
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
    their = theirs(tmp_path, database_url, env="")
    their.project.revision("a1")
    their.migrate().assert_failed(
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
    their = theirs(tmp_path, database_url, env=env)
    their.project.revision("a1")
    their.migrate().assert_failed(
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
        their = theirs(tmp_path, database_url, env=env)
        their.project.revision("a1")
        their.migrate().assert_failed(
            2,
            "Alembic's env.py connects to another database than the one it was given. Let it take "
            "sqlalchemy.url from the Alembic configuration, or set DATABASE_URL to where it goes. "
            "Nothing was changed.",
        )
        assert_untouched(cluster, other)
    assert_untouched(cluster, database)


def test_missing_script_location(tmp_path: Path, database_url: str) -> None:
    """A configuration that leads nowhere is a wrong setting."""
    their = theirs(tmp_path, database_url, ini="[alembic]\nscript_location = %(here)s/nowhere\n")
    finished = their.migrate()
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
    their = theirs(tmp_path, database_url, ini_name=name)
    their.project.config.write_bytes(content)
    their.migrate().assert_failed(2, f"…{name} describes no Alembic project: …")
