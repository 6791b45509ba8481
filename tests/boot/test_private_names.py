"""Private names of libraries: each stands in one file, which changes alone when one is renamed."""

import ast
from pathlib import Path

import alembic_boot

ROOT = Path(alembic_boot.__file__).parent

ALLOWED = {"private_names.py", "embedded.py"}
"""Those of Alembic and SQLAlchemy, and those of the package of the embedded server."""

PUBLIC = {"_fields", "_exit"}
"""Documented, in spite of the underscore: of `ast` and of `os`."""


def private_names(path: Path) -> set[str]:
    """Return the private attributes that a file takes from something else than itself."""
    tree = ast.parse(path.read_text("utf-8"))
    own = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    }
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in own | PUBLIC
    }


def test_private_names_stand_in_one_file() -> None:
    """Of Alembic and SQLAlchemy; Uvicorn's are in serving."""
    found = {
        str(path.relative_to(ROOT)): names
        for path in ROOT.rglob("*.py")
        if path.name not in ALLOWED and "serving" not in path.parts
        if (names := private_names(path))
    }
    assert found == {}
