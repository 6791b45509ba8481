"""Private names of libraries: each stands in one file, which changes alone when one is renamed."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import alembic_boot

ROOT = Path(alembic_boot.__file__).parent

ALLOWED = {
    *("private_names.py", "argparse_private_names.py", "uvicorn_private_names.py"),
    "embedded.py",
}
"""Those of Alembic and SQLAlchemy, argparse, Uvicorn, and the package of the embedded server."""

PUBLIC = {"_fields", "_exit", "_replace"}
"""Documented, in spite of the underscore: of `ast`, of `os` and of named tuples."""


Names = set[str]


def names_in(path: Path) -> tuple[Names, Names, Names]:
    """Return the attributes that a file defines, uses of itself, and uses of something else."""
    defined, own, others = Names(), Names(), Names()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
        elif isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            is_set = is_own and isinstance(node.ctx, ast.Store)
            (defined if is_set else own if is_own else others).add(node.attr)
    return defined, own, others


def test_private_names_stand_in_one_file() -> None:
    """An attribute of another object is private to this file, one of `self` to all of ours."""
    names = {path: names_in(path) for path in ROOT.rglob("*.py")}
    ours = Names().union(*(defined for defined, _, _ in names.values()))
    found = {
        str(path.relative_to(ROOT)): private
        for path, (defined, own, others) in names.items()
        if path.name not in ALLOWED
        if (private := {*filter(is_private, (own - ours) | (others - defined - PUBLIC))})
    }
    assert found == {}


def is_private(name: str) -> bool:
    """Return whether a name is private; enum and Python have public ones with underscores."""
    return name.startswith("_") and not name.startswith("__") and not name.endswith("_")


def inherited(kind: type) -> set[str]:
    """Return the private names that a class shares with a base class of a library."""
    ours = ("alembic_boot.", "typing")  # what Python itself notes on a protocol is no method
    foreign = [base for base in kind.__mro__[1:] if not base.__module__.startswith(ours)]
    return {
        name
        for name in vars(kind)
        if is_private(name) and any(name in vars(base) for base in foreign)
    }


@pytest.mark.parametrize("path", sorted((ROOT / "serving").glob("*.py")), ids=lambda it: it.stem)
def test_no_class_overrides_a_private_method_elsewhere(path: Path) -> None:
    """An override looks like a method of one's own, though it is a library's name."""
    if path.name in ALLOWED:
        return
    module = importlib.import_module(f"alembic_boot.serving.{path.stem}")
    classes = [it for _, it in inspect.getmembers(module, inspect.isclass)]
    ours = [it for it in classes if it.__module__ == module.__name__]
    assert {it.__name__: names for it in ours if (names := inherited(it))} == {}
