"""The private names of Alembic and SQLAlchemy that have no public counterpart, each in one place.

Checked with Alembic 1.16 and 1.20, and with SQLAlchemy 2.0.43 and 2.1. If a release renames one,
this file changes alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Table

AlembicSteps = Iterable[RevisionStep | StampStep]


def has_external_transaction(context: MigrationContext) -> bool:
    """Return whether a transaction was open when env.py configured the context."""
    return context._in_external_transaction


def set_external_transaction(context: MigrationContext, is_open: bool) -> None:
    """Tell Alembic whether the steps run inside of a transaction that env.py has opened."""
    context._in_external_transaction = is_open


def has_begin_block(connection: Connection) -> bool:
    """Return whether the connection is inside of `with connection.begin():`.

    Nothing else tells it: `get_transaction()` is the same for a transaction that began by itself.
    """
    return getattr(connection, "_trans_context_manager", None) is not None


def revision_transaction(context: MigrationContext) -> AbstractContextManager[Any]:
    """Return the transaction of one revision; `autocommit_block` asks for the one begun here."""
    return context.begin_transaction(_per_migration=True)


def alembic_transaction(context: MigrationContext) -> Any:
    """Return the transaction that Alembic takes for its own, or None."""
    return context._transaction


def forget_transaction(context: MigrationContext) -> None:
    """Have Alembic let go of its transaction, which is over."""
    context._transaction = None


def give_each_revision_a_transaction(context: MigrationContext) -> None:
    """Do what `transaction_per_migration=True` does, after env.py has configured the context."""
    context._transaction_per_migration = True


def ensure_version_table(context: MigrationContext, *, purge: bool = False) -> None:
    """Make the version table if it is missing; with `purge`, empty it."""
    context._ensure_version_table(purge=purge)


def version_table(context: MigrationContext) -> Table:
    """Return the version table as env.py describes it."""
    return context._version


def execute(context: MigrationContext, statement: Any) -> None:
    """Execute a statement as Alembic executes its own."""
    context.impl._exec(statement)


def execute_by(context: MigrationContext, write: Callable[..., Any]) -> None:
    """Have Alembic pass its statements to `write`."""
    context.impl._exec = write  # type: ignore[method-assign]


def never_make_version_table(context: MigrationContext) -> None:
    """Have Alembic write no CREATE for a version table that is there, though without a row."""
    context._version.create = lambda *_, **__: None  # type: ignore[method-assign]


def command_steps(context: MigrationContext, rows: tuple[str, ...]) -> AlembicSteps:
    """Return the steps of the `alembic` command that runs, from these rows."""
    steps: Any = context._migrations_fn
    return steps(rows, context)  # type: ignore[no-any-return]


def is_comparing(context: MigrationContext) -> bool:
    """Return whether `alembic check` or `revision --autogenerate` runs.

    Both pass a function of this name to the context; the other commands pass their steps.
    """
    return getattr(context._migrations_fn, "__name__", "") == "retrieve_migrations"


def version_locations(scripts: ScriptDirectory) -> Sequence[Path]:
    """Return the folders of the revisions' files. They are made absolute once, and kept."""
    return scripts._version_locations


def upgrade_steps(scripts: ScriptDirectory, goal: Any, current: Any) -> list[RevisionStep]:
    """Return Alembic's own steps up to a goal, in its own order."""
    return scripts._upgrade_revs(goal, current)


def scripts_by_name(scripts: ScriptDirectory) -> Mapping[Any, Script | None]:
    """Return every revision, by its id and by its labels."""
    return scripts.revision_map._revision_map  # type: ignore[return-value]


def compiled_files(scripts: ScriptDirectory, location: Path) -> list[Path]:
    """Return the files of a folder as `sourceless = true` has them."""
    return Script._list_py_dir(scripts, location)


def script_from_path(scripts: ScriptDirectory, path: str) -> Script | None:
    """Import a file; return None if it is no revision."""
    return Script._from_path(scripts, path)


def resolved_dependencies(script: Script) -> Iterable[str]:
    """Return the ids that `depends_on` names, labels resolved."""
    return script._resolved_dependencies
