"""Move a scratch database up and down its history, and read the resulting catalogue."""

from dataclasses import replace

from alembic_boot.adoption.comparison import Catalogue
from alembic_boot.adoption.reading import IGNORED_TABLES, read_catalogue
from alembic_boot.description import SchemaPolicy
from alembic_boot.environment.project import Project
from alembic_boot.history.history import Target
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.running.apply import MakeGuard, apply_to_scratch
from alembic_boot.running.guard import Guard
from alembic_boot.state.inspection import NO_DATABASE, SchemaState, inspect
from alembic_boot.state.schema import Schema, open_schema
from alembic_boot.state.unrecordable import Unrecordable


def open_scratch(url: DatabaseUrl, project: Project) -> Schema:
    """Return a scratch database's schema, which may be moved both ways."""
    return open_schema(url, project, SchemaPolicy("heads", rollback=True))


def make_room(schema: Schema) -> Unrecordable | None:
    """Let a scratch database record any revision; return those it had no room for."""
    history = schema.project.history
    found = schema.unrecordable(history.in_order(history.revisions))
    if found is None or not found.widening:
        return None
    with connected(schema.url) as connection:
        connection.cursor().execute(found.widening)
    return found


def read(schema: Schema) -> Catalogue:
    """Return the present catalogue, without the tables that only record the revision."""
    with connected(schema.url) as connection:
        return read_catalogue(connection, IGNORED_TABLES | {schema.version_table.name})


def move(schema: Schema, target: Target, make_guard: MakeGuard = Guard) -> Catalogue:
    """Bring the scratch database to a target, up or down, and return its catalogue.

    Raises MigrationFailedError.
    """
    schema = replace(schema, target=target)
    # An irreversible revision shows itself when it runs: there is nothing to lose here.
    inspection = replace(schema.inspect(), irreversible=())
    if inspection.state is SchemaState.UNMANAGED:  # it is at base, but some objects are left
        inspection = inspect(NO_DATABASE, schema.project.history, target)
    plan = schema.decide(inspection)
    if plan.refusal is not None:
        raise plan.refusal
    apply_to_scratch(schema, plan, make_guard)
    return read(schema)
