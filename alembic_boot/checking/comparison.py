"""Compare the models with the schema, in a process beside the one that serves.

`python -m alembic_boot.checking.comparison` reads a pickled description from its stdin, which no
other process can see, and prints the result as JSON. So the side effects of env.py, and the memory
and time of Alembic, do not affect the service.
"""

import json
import os
import pickle
import signal
import sys
from dataclasses import asdict, dataclass, field

from alembic.runtime.migration import MigrationContext

from alembic_boot.checking.differences import Difference, in_words, missing_labels, operations
from alembic_boot.description import BootDescription
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.project import Project
from alembic_boot.errors import BootError
from alembic_boot.state.inspection import SchemaState
from alembic_boot.state.schema import open_schema

_NICENESS = 5
"""Niceness of the process: on a busy machine the service has priority."""


@dataclass(frozen=True)
class Comparison:
    """The result of one comparison."""

    differences: tuple[str, ...] = ()
    """Differences on which requests may fail."""
    beyond: tuple[str, ...] = ()
    """Objects that only the schema has, which do no harm to requests."""
    failure: str | None = None
    """The reason if the models could not be compared."""
    is_at_head: bool = True
    """Whether the schema is at head: the models describe only that."""
    current: tuple[str, ...] = field(default=(), compare=False)
    """The revisions of the schema, in order."""
    tables: tuple[str, ...] = ()
    """The tables that differ."""


def compare(boot: BootDescription) -> Comparison:
    """Return the differences between the models and the schema, if that is at head."""
    try:
        project = open_project(
            boot.alembic_config, boot.migration_database_url, changes_nothing=True
        )
        schema = open_schema(boot.migration_database_url, project, boot.schema)
        found = schema.inspect()
    except BootError as error:
        return Comparison(failure=str(error))
    if found.state is not SchemaState.CURRENT or found.target.revisions != found.heads:
        return Comparison(is_at_head=False)
    try:
        every = _differences(project)
    except BootError as error:
        return Comparison(failure=str(error))
    return Comparison(
        tuple(it.text for it in every if not it.is_harmless),
        tuple(it.text for it in every if it.is_harmless),
        current=found.current,
        tables=tuple({it.table: None for it in every if it.table is not None}),
    )


def _differences(project: Project) -> list[Difference]:
    found: list[Difference] = []

    def look(context: MigrationContext, _arguments: object) -> None:
        if context.opts["target_metadata"] is not None:
            found.extend(in_words(operations(context)))
            found.extend(it.difference() for it in missing_labels(context))

    project.run(look, dont_mutate=True)
    return found


def _main() -> None:
    # Ctrl-C is for the process that serves, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    # An env.py may print.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    boot: BootDescription = pickle.load(sys.stdin.buffer)  # noqa: S301 (from our own process)
    with answer:
        json.dump(asdict(compare(boot)), answer)


if __name__ == "__main__":
    _main()
