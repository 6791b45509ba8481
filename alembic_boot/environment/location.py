"""The place of a schema as env.py sees it: version table, search_path, the models' schemas."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from alembic.runtime.migration import MigrationContext

from alembic_boot.environment.session import MigrationSession
from alembic_boot.environment.version_table import VersionTable


@dataclass(frozen=True)
class Location:
    """The schemas and the version table that one run of env.py names."""

    version_table: VersionTable
    path: str | None = None
    """The search_path of env.py's session, as it is set; None where it was not asked."""
    models: frozenset[str] = frozenset()
    """The schemas that `target_metadata` puts tables in."""
    role: str | None = None
    """The role that env.py's session works as; None where it was not asked."""


def read_location(context: MigrationContext) -> Location:
    """Return where a configured env.py keeps its schema.

    Raises as `MigrationSession.version_table` does.
    """
    session = MigrationSession(context)
    table = session.version_table()
    path, role = session.surroundings()
    return Location(table, path, model_schemas(context), role)


def model_schemas(context: MigrationContext) -> frozenset[str]:
    """Return the schemas of the models' tables, as `schema_translate_map` renames them."""
    connection: Any = context.connection
    renamed = connection.get_execution_options().get("schema_translate_map") or {}
    names = {
        renamed.get(table.schema, table.schema)
        for metadata in _listed(context.opts.get("target_metadata"))
        for table in getattr(metadata, "tables", {}).values()
    }
    return frozenset(str(name) for name in names if name is not None)


def _listed(target_metadata: Any) -> Iterable[Any]:
    """Return what env.py gives as one MetaData, as several, or not at all."""
    if target_metadata is None:
        return ()
    is_several = isinstance(target_metadata, list | tuple | set | frozenset)
    return target_metadata if is_several else (target_metadata,)
