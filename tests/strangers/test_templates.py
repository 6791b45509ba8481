"""Alembic's own templates, as `alembic init` writes them: a URL without a driver is enough."""

from pathlib import Path

import pytest

from tests.strangers.environments import MakeEnvironment
from tests.strangers.layouts import ASYNC, SYNC, Stranger

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("template", "packages"),
    [
        ("generic", SYNC),
        ("pyproject", ASYNC),
        ("async", ASYNC),
        ("async", (*SYNC, "greenlet")),
        ("pyproject_async", ASYNC),
    ],
    ids=["generic", "pyproject", "async with asyncpg", "async with psycopg", "pyproject_async"],
)
def test_a_template_as_generated(
    template: str,
    packages: tuple[str, ...],
    tmp_path: Path,
    wheel: Path,
    environment_of: MakeEnvironment,
    database_url: str,
) -> None:
    environment = environment_of(f"alembic-boot[binary] @ {wheel.as_uri()}", *packages)
    theirs = Stranger(tmp_path, environment, {"DATABASE_URL": database_url})
    assert theirs.run("alembic", "init", "-t", template, "migrations").status == 0
    assert theirs.run("alembic", "revision", "-m", "first").status == 0
    migrated = theirs.boot("migrate")
    assert (migrated.status, migrated.stderr) == (0, ""), migrated
    assert "Applied " in migrated.stdout
    checked = theirs.boot("check", "--all")
    assert checked.status == 0, checked
    assert "meets the models" not in checked.stdout  # env.py has none
