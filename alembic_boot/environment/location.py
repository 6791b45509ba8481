"""The place of a schema as env.py sees it: version table, search_path, the models' schemas."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from alembic.runtime.migration import MigrationContext

from alembic_boot.environment.session import MigrationSession
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import ConfigurationError


@dataclass(frozen=True)
class Location:
    """The schemas and the version table that one run of env.py names."""

    version_table: VersionTable
    path: str | None = None
    """The search_path of env.py's session, as it is set; None if it was not asked."""
    models: frozenset[str] = frozenset()
    """The schemas that `target_metadata` puts tables in."""
    role: str | None = None
    """The role that env.py's session works as; None if it was not asked."""
    may_run: bool = False
    """True if the state that other sessions see is also that of env.py's session.

    Then revisions may run in the same run of env.py. Through a pooler that cannot be told.
    """


class Locations:
    """The locations that one run of env.py names: one for each call of `run_migrations`."""

    def __init__(self, env_py: str) -> None:
        self._env_py = env_py
        self._found: list[Location] = []

    def read(self, session: MigrationSession) -> Location:
        """Note and return the location of this call.

        Before this call env.py may still change it. Raises as `MigrationSession.version_table`
        does.
        """
        table = session.version_table()
        path, role, is_fresh = session.surroundings()
        models = model_schemas(session.context)
        location = Location(table, path, models, role, session.is_direct and is_fresh)
        self._found.append(location)
        return location

    @property
    def are_several(self) -> bool:
        """True if `run_migrations` was called more than once."""
        return len(self._found) > 1

    def refuse_several_tables(self, applied: str = "") -> None:
        """Raise ConfigurationError if they are in several version tables."""
        tables = {str(it.version_table) for it in self._found}
        if len(tables) > 1:
            raise ConfigurationError(
                f"{self._env_py} configures several version tables ({', '.join(sorted(tables))}).",
                f"Let it take one of them from its environment, and run it once for each.{applied}",
            )

    def only(self) -> Location:
        """Return the one location when env.py has ended. Raises ConfigurationError."""
        if not self._found:
            raise ConfigurationError(
                f"{self._env_py} never calls context.configure() and context.run_migrations().",
                "Let it configure and run the migrations, as Alembic's templates do.",
            )
        self.refuse_several_tables()
        models = frozenset().union(*(it.models for it in self._found))
        return replace(self._found[-1], models=models)


def expect_database(is_right: str) -> Callable[[MigrationContext], None]:
    """Return a check that refuses a context whose connection leads to another database.

    The query is true only in the database that env.py is to work on.
    """

    def configured(context: MigrationContext) -> None:
        session = MigrationSession(context)
        session.refuse_other_database(is_right)
        session.settle()

    return configured


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
