"""A strict offline mode of Alembic: write a statement exactly as it would run, or raise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TextIO

from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import LargeBinary, NullPool, create_engine, text
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.schema import ExecutableDDLElement

from alembic_boot.environment.project import Project
from alembic_boot.environment.session import MigrationSession
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.sql.writing import literal

_VERSION_OPTIONS = ("version_table", "version_table_schema", "version_table_pk")


class Bytea(LargeBinary):
    """Bytes as SQL writes them: SQLAlchemy's own literals would be text."""

    def literal_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002
        """Return the function that writes a value as SQL."""
        return lambda value: f"decode('{value.hex()}', 'hex')"


def _dialect(**options: Any) -> Dialect:
    """Return what writes SQL for people: as psycopg2 gets it, but with every % as it is."""
    engine = create_engine(
        "postgresql+psycopg2://", paramstyle="named", poolclass=NullPool, **options
    )
    if options:
        engine.connect().close()  # asks the server for its version, and how it reads strings
    engine.dialect.colspecs = {**engine.dialect.colspecs, LargeBinary: Bytea}
    return engine.dialect


@dataclass(frozen=True)
class Place:
    """The facts about a database that SQL depends on; empty if there is no database yet."""

    dialect: Dialect = field(default_factory=_dialect)
    version_options: Mapping[str, Any] = field(default_factory=dict)
    """What env.py says of its version table when it has a connection."""
    has_version_table: bool = False
    settings: tuple[str, ...] = ()
    """Statements that make any session of the same login like env.py's."""


def look_at(url: DatabaseUrl, project: Project) -> Place:
    """Return the facts about a database and env.py's session on it; changes nothing."""
    found: dict[str, Any] = {}

    def look(context: MigrationContext, _arguments: object) -> None:
        session = MigrationSession(context)
        table = literal(str(session.version_table()))
        found["options"] = {
            name: context.opts[name] for name in _VERSION_OPTIONS if name in context.opts
        }
        found["session"] = session.ask(
            f"SELECT to_regclass({table}) IS NOT NULL, current_setting('search_path'),"
            " CASE WHEN current_user <> session_user THEN quote_ident(current_user) END"
        )

    project.run(look, dont_mutate=True)
    has_version_table, search_path, role = found["session"]
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        settings = [f"SET ROLE {role};"] if role else []
        if cursor.fetchone() != (search_path,):
            settings.append("SET search_path = " + (search_path or "''") + ";")
        dialect = _dialect(creator=lambda: connection)
    return Place(dialect, found["options"], has_version_table, tuple(settings))


class OfflineConnection(MockConnection):
    """The connection that a revision gets from `op.get_bind()`: it only writes statements."""

    def __init__(self, dialect: Dialect, script: TextIO) -> None:
        super().__init__(dialect, self.write)
        self._script = script

    def execute(self, obj: Any, parameters: Any = None, execution_options: Any = None) -> Any:
        """Write a statement. Alembic's own mock would drop the parameters and go on."""
        self.write(obj, execution_options, params=parameters or {})
        return _Unknown()

    def write(
        self,
        construct: Any,
        execution_options: Any = None,  # noqa: ARG002 (Alembic's signature)
        multiparams: Sequence[Mapping[str, Any]] | None = None,
        params: Any = (),
    ) -> None:
        """Write a statement with its values in it. Raises the error that running it would raise."""
        if multiparams or params:
            raise CommandError("parameters of execute() are not written; use bindparams() instead")
        statement = text(construct) if isinstance(construct, str) else construct
        if isinstance(statement, ExecutableDDLElement):
            compiled = statement.compile(dialect=self.dialect)
        else:
            compiled = self._with_values(statement)
        sql = str(compiled).strip()
        is_in_comment = "--" in sql.rpartition("\n")[2]
        self._script.write(sql + ("\n;" if is_in_comment else ";") + "\n\n")

    def _with_values(self, statement: Any) -> Any:
        compiled = statement.compile(dialect=self.dialect, column_keys=[])
        if compiled.prefetch:
            raise CommandError(f"{compiled.prefetch[0]} has a default that Python makes")
        compiled.construct_params()  # raises where a value is missing, which would become NULL
        return statement.compile(
            dialect=self.dialect, column_keys=[], compile_kwargs={"literal_binds": True}
        )

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"there is no database to ask by Connection.{name}")


class _Unknown:
    """The result of a statement that has not run: each use of it raises."""

    def _refuse(self, *_arguments: object) -> NoReturn:
        raise CommandError("it reads what a statement returns, which is known only when it runs")

    __getattr__ = __iter__ = __next__ = __bool__ = __len__ = __getitem__ = __enter__ = _refuse
