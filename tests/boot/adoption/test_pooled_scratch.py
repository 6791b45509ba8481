"""Databases that a pooler does not know: each sentence names the settings that help."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.boot.in_process import adopting, checking, migrating, run_in
from tests.cluster import OWNER, PASSWORD, Cluster
from tests.pgbouncer import running_pgbouncer
from tests.scenarios.adopting import databases, forget
from tests.scenarios.process import (
    ForeignProject,
)

pytestmark = pytest.mark.slow


UNREACHABLE_SCRATCH = (
    "A scratch database was made, but it cannot be reached. …_scratch_… failed: …"
    "Let the role in there; if a pooler stands in between that knows no other databases, set "
    "MIGRATION_DATABASE_URL to the server itself; or name a database that has the schema "
    "boot_scratch in SCRATCH_DATABASE_URL."
)


def short_history(tmp_path: Path) -> Path:
    """Return the folder of a project whose replay takes no time."""
    theirs = ForeignProject(tmp_path / "theirs")
    theirs.revision("a1")
    theirs.revision("b2", "a1")
    return theirs.folder


def test_a_scratch_database_that_the_pooler_does_not_know(
    tmp_path: Path, debian_cluster: Cluster
) -> None:
    """It is dropped again, and both settings that help are named; either of them does."""
    folder = short_history(tmp_path)
    with (
        debian_cluster.database() as name,
        debian_cluster.scratch_database() as scratch,
        running_pgbouncer(tmp_path / "pgbouncer", debian_cluster.port, only=name) as port,
    ):
        settings = {"APP_ENV": "prod", "DATABASE_URL": debian_cluster.url(name, port=port)}
        run_in(folder, migrating, **settings).assert_ok()
        run_in(folder, checking, **settings).assert_failed(2, UNREACHABLE_SCRATCH)
        forget(debian_cluster, name)
        why = "The database has tables (…) but no revision recorded, and its revision cannot "
        run_in(folder, adopting, **settings).assert_failed(
            8,
            f"{why}be determined: {UNREACHABLE_SCRATCH} "
            "Or record it yourself with `inv stamp --revision REVISION`. Nothing was changed.",
        )
        assert databases(debian_cluster, name) == []
        given = {"SCRATCH_DATABASE_URL": debian_cluster.url(scratch)}
        run_in(folder, adopting, **settings, **given).assert_ok()
        forget(debian_cluster, name)
        direct = {"MIGRATION_DATABASE_URL": debian_cluster.url(name)}
        run_in(folder, adopting, **settings, **direct).assert_ok()


@pytest.fixture
def users() -> Iterator[Path]:
    """PgBouncer's list of who may log in, where its user can read it."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "users")
        path.write_text(f'"{OWNER}" "{PASSWORD}"\n')
        yield path


@pytest.mark.parametrize(
    ("environment", "what"),
    [("dev", "does not exist and could not be created. …"), ("prod", "does not exist at …")],
)
def test_a_database_that_the_pooler_does_not_know(
    tmp_path: Path, debian_cluster: Cluster, users: Path, environment: str, what: str
) -> None:
    """It may be the pooler's list that has it not: that is said, also where it would be made."""
    folder = short_history(tmp_path)
    options = {"auth_type": "trust", "auth_file": str(users), "admin_users": OWNER}
    with (
        debian_cluster.database() as name,
        debian_cluster.database() as unknown,
        running_pgbouncer(tmp_path / "bouncer", debian_cluster.port, name, **options) as port,
    ):
        url = debian_cluster.url(unknown, port=port)
        run_in(folder, migrating, DATABASE_URL=url, APP_ENV=environment).assert_failed(
            4,
            f"Database '{unknown}' {what} A pooler stands in between, which knows only those of "
            "its [databases]: name it there, or set MIGRATION_DATABASE_URL to the server itself.",
        )


def test_a_history_with_an_autocommit_block_behind_the_pooler(
    tmp_path: Path, debian_cluster: Cluster, pgbouncer: Callable[[str], str]
) -> None:
    """It is adopted: the replay needs less of its session than a migration does."""
    theirs = ForeignProject(tmp_path / "theirs")
    theirs.revision("a1")
    block = (
        "with op.get_context().autocommit_block():\n    op.execute('CREATE INDEX i ON t_a1 (id)')"
    )
    theirs.revision("b2", "a1", block)
    with debian_cluster.database() as name:
        run_in(theirs.folder, migrating, DATABASE_URL=debian_cluster.url(name)).assert_ok()
        forget(debian_cluster, name)
        settings = {"APP_ENV": "prod", "DATABASE_URL": pgbouncer(name)}
        run_in(theirs.folder, adopting, **settings).assert_ok()


def test_a_given_scratch_database_behind_the_pooler(
    tmp_path: Path, debian_cluster: Cluster, pgbouncer: Callable[[str], str]
) -> None:
    """It is free again afterwards, also for those who come directly."""
    folder = short_history(tmp_path)
    with debian_cluster.database() as name, debian_cluster.scratch_database() as scratch:
        settings = {"APP_ENV": "test", "DATABASE_URL": pgbouncer(name)}
        for url in (pgbouncer(scratch), debian_cluster.url(scratch)):
            run_in(folder, checking, SCRATCH_DATABASE_URL=url, **settings).assert_ok()
