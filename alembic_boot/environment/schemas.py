"""Find out which schemas a project names, among those that a database has tables in."""

from collections.abc import Iterator, Set
from functools import partial
from pathlib import Path
from typing import Any

from alembic.script import Script, ScriptDirectory

from alembic_boot.environment.scripts import all_scripts, load_revision, reading
from alembic_boot.history.schema_names import SchemaNames
from alembic_boot.private_names import version_locations

_HINTS = (b"schema", b"search_path", b"create_all")
"""The words in a file that can make an object in a schema."""


def named_schemas(
    scripts: ScriptDirectory, models: frozenset[str], others: Set[str]
) -> frozenset[str]:
    """Return the other schemas in which the history or the models make an object.

    Reads the whole history if there are other schemas. Raises HistoryBrokenError.
    """
    found = frozenset(others)
    if not found:
        return found
    hints = (*_HINTS, *(name.lower().encode() for name in found))
    names = SchemaNames()
    for script in all_scripts(scripts):
        if found <= names.made:
            return found
        path = Path(script.path)
        if path.suffix == ".py" and _has(source := _content(scripts, path), hints):
            try:
                names.read_python(source, partial(_global, scripts, script))
            except SyntaxError:
                load_revision(scripts, script.revision)  # which says what is wrong with it
    for path in _sql_files(scripts):
        if _has(source := _content(scripts, path), hints):
            names.read_sql(source.decode(errors="replace"))
    return names.among(found, models)


def _content(scripts: ScriptDirectory, path: Path) -> bytes:
    with reading(scripts):
        return path.read_bytes()


def _has(source: bytes, hints: tuple[bytes, ...]) -> bool:
    text = source.lower()
    return any(hint in text for hint in hints)


def _global(scripts: ScriptDirectory, script: Script, name: str) -> Any:
    """Return the value of a name in a revision's module, if its file alone does not tell it."""
    load_revision(scripts, script.revision)
    return getattr(script.module, name, None)


def _sql_files(scripts: ScriptDirectory) -> Iterator[Path]:
    """Give the files that revisions may read their statements from."""
    folders = {Path(scripts.dir), *map(Path, version_locations(scripts))}
    found = {it for folder in folders for it in folder.rglob("*.sql")}
    return (path for path in found if path.is_file())
