"""MoriAI's tasks and settings use what any project may use of alembic_boot."""

import ast
from pathlib import Path

import pytest

PUBLIC = {
    "alembic_boot",
    "alembic_boot.actions",
    "alembic_boot.booting",
    "alembic_boot.commands",
    "alembic_boot.imports",
    "alembic_boot.reporting",
    "alembic_boot.tasks",
    "alembic_boot.variables",
}
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["tasks.py", "backend/settings.py", "backend/booting.py"])
def test_only_public_modules_are_imported(name: str) -> None:
    """What these need of the tool, the tasks of another project may need as well."""
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    used = {it.module for it in ast.walk(tree) if isinstance(it, ast.ImportFrom) and it.module}
    assert {it for it in used if it.partition(".")[0] == "alembic_boot"} <= PUBLIC
