"""Files of a project that cannot be read: each command says so by its status and a sentence."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from alembic_boot import actions, start
from tests.boot.in_process import Task, checking, previewing, run_in, showing_status
from tests.cluster import Cluster
from tests.rights import rights_of_the_files
from tests.scenarios.process import assert_untouched, project

pytestmark = pytest.mark.slow

TASKS: tuple[Task, ...] = (
    actions.migrate,
    start.prepare,
    previewing,
    checking,
    showing_status,
)


def close_versions(folder: Path) -> None:
    (folder / "alembic" / "versions").chmod(0)


def hide_names(folder: Path) -> None:
    (folder / "alembic" / "versions").chmod(0o111)


def close_files(folder: Path) -> None:
    (folder / "alembic" / "versions").chmod(0o444)


def close_scripts(folder: Path) -> None:
    (folder / "alembic").chmod(0)


def close_revision(folder: Path) -> None:
    (folder / "alembic" / "versions" / "003_cover_image.py").chmod(0)


def lose_revision(folder: Path) -> None:
    (folder / "alembic" / "versions" / "901_test.py").symlink_to("/nonexistent/901_test.py")


def close_configuration(folder: Path) -> None:
    (folder / "alembic.ini").chmod(0)


def close_env(folder: Path) -> None:
    # Python reads compiled code without the file itself.
    shutil.rmtree(folder / "alembic" / "__pycache__", ignore_errors=True)
    (folder / "alembic" / "env.py").chmod(0)


BROKEN = "The migration history is broken: …"
ALL: dict[Callable[[Path], None], tuple[int, str]] = {
    close_versions: (9, f"{BROKEN}Permission denied: '…/versions'. …"),
    hide_names: (9, f"{BROKEN}Permission denied: '…/versions'. …"),
    close_files: (9, f"{BROKEN}Permission denied: '…/versions/…'. …"),
    close_scripts: (9, "…/versions…"),  # since Python 3.14 the folder seems not to exist
    close_revision: (9, f"{BROKEN}Permission denied: '…/003_cover_image.py'. …"),
    lose_revision: (9, f"{BROKEN}No such file or directory: '/nonexistent/901_test.py'. …"),
    close_configuration: (
        2,
        "…/alembic.ini cannot be read: Permission denied. Fix the path or its rights.",
    ),
    close_env: (5, "Alembic's env.py failed: …Permission denied: '…/env.py'. …"),
}


@pytest.mark.parametrize("spoil", ALL, ids=lambda spoil: spoil.__name__)
def test_every_command_says_what_it_cannot_read(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    database_url: str,
    spoil: Callable[[Path], None],
) -> None:
    """The database stays as it is."""
    folder = project(tmp_path)
    spoil(folder)
    with rights_of_the_files():
        for task in TASKS:
            finished = run_in(folder, task, DATABASE_URL=database_url, APP_ENV="prod")
            finished.assert_failed(*ALL[spoil])
    assert_untouched(cluster, database)
    (folder / "alembic").chmod(0o755)
    (folder / "alembic" / "versions").chmod(0o755)


def test_statements_of_a_revision(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Files with SQL are read if other schemas have tables; a folder or a dead link is no file."""
    cluster.execute("CREATE SCHEMA other; CREATE TABLE other.theirs ()", database)
    folder = project(tmp_path)
    versions = folder / "alembic" / "versions"
    (versions / "folder.sql").mkdir()
    (versions / "link.sql").symlink_to("/nonexistent/link.sql")
    assert run_in(folder, showing_status, DATABASE_URL=database_url).status == 0
    (versions / "002.sql").touch(0)
    with rights_of_the_files():
        for task in (showing_status, actions.migrate):
            finished = run_in(folder, task, DATABASE_URL=database_url)
            finished.assert_failed(9, f"{BROKEN}Permission denied: '…/002.sql'. …")
