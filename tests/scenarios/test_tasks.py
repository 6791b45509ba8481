"""The tasks as a person meets them: their help, their cost, what they print and what they ask."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.history import BEFORE_HEAD, HEAD, OURS
from tests.scenarios.process import (
    assert_untouched,
    matches,
    project,
    revisions,
    run,
    running,
    write_revision,
)
from tests.scenarios.sleeping import wait_for_sleep

pytestmark = pytest.mark.slow

TASKS = (
    "adopt",
    "bench",
    "build",
    "check",
    "down",
    "images",
    "lint",
    "logs",
    "merge",
    "migrate",
    "ps",
    "reference",
    "restart",
    "revision",
    "rollback",
    "seed",
    "serve",
    "shell",
    "stamp",
    "start",
    "status",
    "test",
    "up",
    "wait-db",
    "ci.all",
    "ci.bench",
    "ci.image",
    "ci.lint",
    "ci.scenarios",
    "ci.test",
)
HEAVY = {"sqlalchemy", "alembic", "fastapi", "psycopg2", "pydantic", "uvicorn", "rich", "docker"}


def test_list(tmp_path: Path) -> None:
    """`inv --list` names every task with what it does."""
    finished = run(project(tmp_path), "--list")
    finished.assert_ok()
    listed = [re.match(r"  ([a-z.-]+)(?: \(ci\))? +[A-Z]", line) for line in finished.stdout]
    assert tuple(match[1] for match in listed if match) == TASKS


def imported(folder: Path, *arguments: str, **variables: str) -> set[str]:
    """Return the top-level packages that `inv` imports with these arguments, and our modules."""
    finished = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "invoke", *arguments],
        check=True,
        cwd=folder,
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
    )
    names = re.findall(r"^import time:.*\| +([\w.]+)$", finished.stderr, re.M)
    assert "invoke" in names
    ours = {name for name in names if name.startswith("backend.")}
    return {name.partition(".")[0] for name in names} | ours


@pytest.mark.parametrize("arguments", [["--list"], ["--help", "start"]])
def test_looking_around_imports_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    """Asking what there is costs no more than Invoke itself."""
    assert not imported(project(tmp_path), *arguments) & {*HEAVY, "backend"}


def test_wait_db_imports_little(tmp_path: Path, database_url: str) -> None:
    """`wait-db` needs the driver and nothing above it."""
    found = imported(project(tmp_path), "wait-db", DATABASE_URL=database_url)
    assert found & HEAVY == {"psycopg2"}


def test_bytecode_is_kept(tmp_path: Path, database_url: str) -> None:
    """`inv` keeps none; without it each task would compile what it imports."""
    folder = project(tmp_path, with_models=True)
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache)
    run(folder, "wait-db", DATABASE_URL=database_url).assert_ok()
    cache = folder / "backend" / "__pycache__"
    assert {it.name.partition(".")[0] for it in cache.iterdir()} >= {"settings", "uses", "booting"}


@pytest.mark.parametrize("task", ["migrate", "status"])
def test_on_a_current_schema(tmp_path: Path, database_url: str, task: str) -> None:
    """Nothing is imported but Alembic and what it stands on; Pygments only colours pages.

    What runs revisions, and what reads their SQL, is for a schema that is not current.
    """
    folder = project(tmp_path)
    imported(folder, "migrate", DATABASE_URL=database_url)
    found = imported(folder, task, DATABASE_URL=database_url)
    assert not found & {"fastapi", "uvicorn", "docker", "rich", "pygments", "prometheus_client"}
    assert not found & {"pgparse", "alembic_boot.sql.parser", "alembic_boot.running.takeover"}


def test_wait_db(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """`wait-db` logs in and changes nothing."""
    finished = run(project(tmp_path), "wait-db", DATABASE_URL=database_url)
    finished.assert_ok()
    assert len(finished.stdout) == 2
    finished.assert_says("Waiting for PostgreSQL... …", "PostgreSQL is ready (18.…, … s)")
    assert_untouched(cluster, database)


@pytest.mark.parametrize("task", ["migrate", "start"])
def test_dry_run(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, task: str
) -> None:
    """`--dry-run` prints state and plan on stdout, the log on stderr, and changes nothing."""
    finished = run(project(tmp_path), task, "--dry-run", DATABASE_URL=database_url)
    assert finished.status == 0
    assert finished.stdout[:2] == (
        f"The schema is empty: it is at base, and the target is {HEAD}.",
        "Plan: upgrade",
    )
    assert [line.split()[0] for line in finished.stdout[2:]] == list(OURS)
    assert_untouched(cluster, database)


def test_dry_run_of_a_refusal(tmp_path: Path, database_url: str) -> None:
    """A dry run ends with the status that the real one would have."""
    folder = project(tmp_path)
    run(folder, "migrate", DATABASE_URL=database_url).assert_ok()
    finished = run(folder, "migrate", "--dry-run", "--target", "006", DATABASE_URL=database_url)
    assert finished.status == 7
    assert finished.stdout == (
        f"The schema is past the target: it is at {HEAD}, and the target is 006.",
        "Plan: refuse",
    )
    assert finished.stderr[-1].startswith(f"The database is at {HEAD}, beyond the target 006. ")


def test_migrate_to_a_target(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """`migrate --target` goes up to a revision, and the next one goes on from there."""
    folder = project(tmp_path)
    finished = run(folder, "migrate", "--target", "003", DATABASE_URL=database_url)
    finished.assert_ok()
    finished.assert_says("Applied 003 …", "Schema revision: 003")
    finished.assert_never_says("Applied 004 …")
    assert revisions(cluster, database) == ["003"]
    run(folder, "migrate", DATABASE_URL=database_url).assert_says("Applied 004 …")
    assert revisions(cluster, database) == [HEAD]


def test_status(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """`status` says for people where the schema is, and what is yet to come by its title."""
    folder = project(tmp_path)
    run(folder, "migrate", "--target", BEFORE_HEAD, DATABASE_URL=database_url).assert_ok()
    finished = run(folder, "status", DATABASE_URL=database_url)
    assert finished.status == 0
    rows = [line.split(None, 1) for line in finished.stdout]
    assert rows[:5] == [
        ["state", "behind"],
        ["current", BEFORE_HEAD],
        ["target", HEAD],
        ["heads", HEAD],
        ["database", f"postgresql://moriai_user:***@127.0.0.1:{cluster.port}/{database}"],
    ]
    assert rows[5][1].startswith("PostgreSQL 18.")
    assert [row[0] for row in rows[6:]] == ["pending", "next", *["journal"] * 6]
    assert rows[6][1].startswith(f"{HEAD} ")
    titles = "started direction revision phase result took host, process"
    assert rows[7][1].endswith("migrate` applies 1 revision")
    assert rows[8][1].split() == titles.split()
    applied = rf"upgrade    {BEFORE_HEAD} \w.* +expand +applied  \d+ ms +\S+, \d+"
    pattern = rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d  {applied}"
    assert re.fullmatch(pattern, rows[9][1])


COMMITTING = """
op.execute("UPDATE books SET title = trim(title)")
with op.get_context().autocommit_block():
    op.execute("SELECT pg_sleep(60)")
op.execute("SELECT nothing FROM books")
"""


def test_a_starter_that_died_with_a_part_committed(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """`status` tells who works from who died, and both it and a dry run say what comes of that."""
    folder = project(tmp_path)
    write_revision(folder / "alembic" / "versions", "901", HEAD, COMMITTING)
    with running(folder, "migrate", DATABASE_URL=database_url) as first:
        first.wait_for(f"Applied {HEAD} …")
        wait_for_sleep(cluster, database)
        at_work = run(folder, "status", DATABASE_URL=database_url)
        assert re.search(r" upgrade +901 .* running +- ", at_work.stdout[-5])
        first.kill()
    after = run(folder, "status", DATABASE_URL=database_url)
    assert after.status == 0
    assert re.search(r" upgrade +901 .* died +- ", after.stdout[-5])
    refused = (
        "Migration 901 … was interrupted after it had committed a part of itself (UPDATE "
        "books SET title = trim(title)…), which may do harm if it is repeated. …"
    )
    run(folder, "migrate", DATABASE_URL=database_url).assert_failed(5, refused)
    dry = run(folder, "migrate", "--dry-run", DATABASE_URL=database_url)
    assert (dry.status, dry.stdout[-1]) == (5, "Plan: refuse")
    told = run(folder, "status", DATABASE_URL=database_url)
    assert [line for line in told.stdout if line.startswith("pending")] == []
    assert [line for line in told.stdout if line.startswith("refused   Migration 901 ")]


@pytest.fixture
def migrated(tmp_path: Path, database_url: str) -> Path:
    """Give a project whose database is at head."""
    folder = project(tmp_path)
    run(folder, "migrate", DATABASE_URL=database_url).assert_ok()
    return folder


def test_rollback_declined(
    migrated: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """`rollback` shows the plan and asks; anything but yes changes nothing."""
    finished = run(migrated, "rollback", stdin="n\n", DATABASE_URL=database_url)
    assert finished.status == 0
    text = "\n".join(finished.stdout)
    assert f"Plan: downgrade\n  {HEAD} " in text
    assert "Take these revisions back, with the data that only they hold? [y/N] " in text
    assert finished.stdout[-1].endswith("Nothing was changed.")
    assert revisions(cluster, database) == [HEAD]


def test_rollback_agreed(
    migrated: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """`rollback` with a yes goes down one step from where the database is, each time."""
    finished = run(migrated, "rollback", stdin="y\n", DATABASE_URL=database_url)
    assert finished.status == 0
    finished.assert_says(f"…Reverted {HEAD} … (… ms)", f"Schema revision: {BEFORE_HEAD}")
    assert revisions(cluster, database) == [BEFORE_HEAD]
    again = run(migrated, "rollback", "--yes", DATABASE_URL=database_url)
    again.assert_ok()
    again.assert_says(f"…Reverted {BEFORE_HEAD} … (… ms)", f"Schema revision: {OURS[-3]}")
    assert revisions(cluster, database) == [OURS[-3]]
    pinned = run(migrated, "rollback", "--yes", DATABASE_URL=database_url, MIGRATION_TARGET="002")
    pinned.assert_says(f"Schema revision: {OURS[-4]}")
    lower = run(migrated, "rollback", "--yes", "--target", HEAD, DATABASE_URL=database_url)
    assert lower.stdout[-1] == f"There is nothing to roll back: the schema is not beyond {HEAD}."
    assert revisions(cluster, database) == [OURS[-4]]


@pytest.mark.parametrize("redirection", ["</dev/null", "<&-"])
def test_rollback_with_nobody_to_ask(
    migrated: Path, cluster: Cluster, database: str, database_url: str, redirection: str
) -> None:
    """`rollback` in a pipeline, where nobody can answer, is refused."""
    shell = ("/bin/sh", "-c", f'exec "$0" "$@" {redirection}')
    with running(migrated, "rollback", before=shell, DATABASE_URL=database_url) as process:
        finished = process.finish()
    finished.assert_failed(
        2, "The question cannot be asked: stdin has ended. Type `…inv rollback --yes`."
    )
    assert revisions(cluster, database) == [HEAD]


def test_seed_twice(migrated: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """`seed` inserts what is absent; a second time nothing is."""
    run(migrated, "seed", DATABASE_URL=database_url).assert_says("Initial data seeded (… rows)")
    count = cluster.query("SELECT count(*), max(updated_at) FROM books", database)
    again = run(migrated, "seed", DATABASE_URL=database_url)
    again.assert_ok()
    again.assert_says("Seeding initial data...", "Initial data is complete already")
    assert cluster.query("SELECT count(*), max(updated_at) FROM books", database) == count


def test_check(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """`check` passes on this project, leaves the database alone and no scratch behind."""
    finished = run(project(tmp_path), "check", DATABASE_URL=database_url)
    finished.assert_ok()
    assert finished.stdout[-1] == (
        "The history is sound: every revision goes up, down and up, and meets the models."
    )
    assert_untouched(cluster, database)
    assert scratches(cluster) == []


def scratches(cluster: Cluster) -> list[tuple[object, ...]]:
    return cluster.query("SELECT datname FROM pg_database WHERE datname LIKE '%scratch%'")


def test_check_of_drifted_models(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """`check` names what the models have and the migrations have not."""
    folder = project(tmp_path, with_models=True)
    drift(folder)
    finished = run(folder, "check", DATABASE_URL=database_url)
    finished.assert_says(
        "the models and the migrations differ: column users.nickname is in the models and not in "
        "the migrations; write a revision with op.add_column('users', …nickname…), or remove it "
        "from the models"
    )
    finished.assert_failed(
        9, "The history fails 1 check. Fix the revisions, or the models, and check again."
    )
    assert scratches(cluster) == []


def drift(folder: Path) -> None:
    """Give the users of this project's models a column that no revision makes."""
    models = folder / "backend" / "models" / "__init__.py"
    models.write_text(
        models.read_text()
        + "\nfrom sqlalchemy import Column, Text\n\n"
        + 'User.__table__.append_column(Column("nickname", Text))\n'
    )


def test_revision(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """`revision` writes the next number with what the models have, and a phase to decide.

    Two branches that both do it have two ids; merged into one folder, they are joined.
    """
    folder = project(tmp_path, with_models=True)
    drift(folder)
    finished = run(
        folder, "revision", "--message", "users have nicknames", DATABASE_URL=database_url
    )
    assert finished.status == 0, finished  # Alembic tells of its hooks on stderr
    versions = folder / "alembic" / "versions"
    number = int(HEAD.partition("_")[0])
    [path] = versions.glob(f"{number + 1:03}_*_users_have_nicknames.py")
    assert finished.stdout[-1] == f"Wrote {path}: read it, and decide its phase."
    code = path.read_text()
    first = path.name.removesuffix("_users_have_nicknames.py")
    assert f'revision: str = "{first}"' in code
    assert f'down_revision: str | Sequence[str] | None = "{HEAD}"' in code
    assert re.search(r'^phase = "contract"$', code, re.M)
    assert 'op.add_column("users", sa.Column("nickname", sa.Text(), nullable=True))' in code
    assert 'op.drop_column("users", "nickname")' in code
    assert_untouched(cluster, database)
    assert scratches(cluster) == []
    run(folder, "migrate", DATABASE_URL=database_url).assert_ok()
    assert revisions(cluster, database) == [first]
    run(folder, "check", DATABASE_URL=database_url).assert_ok()
    second = run(folder, "revision", "--message", "nothing new", DATABASE_URL=database_url)
    assert second.status == 0, second
    assert second.stdout[-1].endswith(
        "_nothing_new.py: it is empty, because the models do not differ from the history."
    )
    [empty] = versions.glob(f"{number + 2:03}_*_nothing_new.py")
    assert "op." not in empty.read_text().partition("def upgrade")[2]
    write_revision(versions, "901", HEAD)
    second_id = empty.name.removesuffix("_nothing_new.py")
    heads = f"The history has 2 heads: {second_id}, 901. Join them "
    merge = f"`inv merge --message 'Join {second_id} and 901'`"
    run(folder, "check", DATABASE_URL=database_url).assert_failed(
        9, f"{heads}with {merge}, or set MIGRATION_TARGET=heads."
    )
    third = run(folder, "revision", "--message", "more", DATABASE_URL=database_url)
    third.assert_failed(9, f"{heads}first with {merge}.")
    merged = run(folder, "merge", "--message", "Both")
    assert merged.status == 0, merged
    assert not (folder / ".data").exists()
    assert matches(merged.stdout[-1], f"Wrote …_both.py: it joins {second_id} and 901.")
    run(folder, "migrate", DATABASE_URL=database_url).assert_ok()
    run(folder, "check", DATABASE_URL=database_url).assert_ok()


def test_a_revision_without_a_message(tmp_path: Path, database_url: str) -> None:
    """It would have no title."""
    finished = run(project(tmp_path), "revision", DATABASE_URL=database_url)
    finished.assert_failed(2, "A revision needs a message. Type `…inv revision --message …`.")


@pytest.mark.parametrize("task", ["status", "check"])
def test_embedded_database(tmp_path: Path, task: str) -> None:
    """Without a database configured every task brings its own along and stops it at the end."""
    folder = project(tmp_path)
    run(folder, "migrate").assert_ok()
    finished = run(folder, task)
    assert finished.status == 0
    assert (folder / ".data" / "postgres" / "PG_VERSION").exists()
    assert not (folder / ".data" / "postgres" / "postmaster.pid").exists()
