"""MoriAI's tasks and settings use what any project may use of alembic_boot."""

import ast
from pathlib import Path

import pytest

import alembic_boot

PUBLIC = {*alembic_boot.__all__, "actions"}
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["tasks.py", "backend/settings.py", "backend/booting.py"])
def test_only_public_names_are_imported(name: str) -> None:
    """What these need of the tool, the tasks of another project may need as well."""
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    used = [it for it in ast.walk(tree) if isinstance(it, ast.ImportFrom) and it.module]
    ours = [it for it in used if str(it.module).partition(".")[0] == "alembic_boot"]
    assert {it.module for it in ours} == {"alembic_boot"}
    assert {alias.name for it in ours for alias in it.names} <= PUBLIC
