"""Run the history on a scratch database, and read the catalogue that each revision makes."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from alembic.runtime.migration import MigrationContext

from backend.boot.catalogue.comparison import Catalogue
from backend.boot.catalogue.reading import IGNORED_TABLES, read_catalogue
from backend.boot.description import SchemaPolicy
from backend.boot.environment.project import Project
from backend.boot.environment.session import MigrationSession
from backend.boot.migration.apply import Watch, apply
from backend.boot.migration.confinement import confined
from backend.boot.postgres.connection import connected
from backend.boot.postgres.identity import same_database_query
from backend.boot.postgres.urls import DatabaseUrl
from backend.boot.revisions.history import Target
from backend.boot.state.schema import Schema, open_schema


def open_scratch(url: DatabaseUrl, project: Project) -> Schema:
    """Return a scratch database's schema, which may be moved both ways."""
    return open_schema(url, project, SchemaPolicy("heads", rollback=True))


def read(schema: Schema) -> Catalogue:
    """Return the catalogue as it is, without what only records where it is."""
    with connected(schema.url) as connection:
        return read_catalogue(connection, IGNORED_TABLES | {schema.version_table.name})


def move(schema: Schema, target: Target, watch: Watch = lambda _context: None) -> Catalogue:
    """Bring the scratch to a target, whichever way it is, and return its catalogue.

    Raises MigrationFailedError.
    """
    schema = replace(schema, target=target)
    # What cannot be taken back is found out by trying: there is nothing to lose here.
    plan = schema.decide(replace(schema.inspect(), irreversible=()))
    if plan.refusal is not None:
        raise plan.refusal
    # People would take a line about a revision for one about the real database.
    apply(schema, plan, watch, logging.DEBUG)
    return read(schema)


def revisions_made(
    schema: Schema, begin: Callable[[str], None] = lambda _title: None, *, is_alone: bool = False
) -> Iterator[tuple[str, Catalogue]]:
    """Go up through the history and give what each revision makes; `begin` is told which one runs.

    `is_alone` says that the scratch has a server that is not the real one's. Each time env.py
    proves that it is on the scratch before anything runs. A database is at one
    revision where nothing else is beside it: on a branch that others stand next to, only where
    they have been merged.
    """
    history = schema.project.history
    order = history.in_order(history.revisions)
    with connected(schema.url) as connection:
        is_scratch = same_database_query(connection)

    def refuse_other_database(context: MigrationContext) -> None:
        session = MigrationSession(context)
        session.refuse_other_database(is_scratch)
        session.settle()

    for number, id_ in enumerate(order, 1):
        label = schema.label(id_)
        begin(label)
        with confined(is_scratch, partial("Migration {}".format, label), is_alone=is_alone):
            made = move(schema, Target(id_, order[:number][::-1]), refuse_other_database)
        if len(history.closure([id_])) == number:
            yield id_, made
