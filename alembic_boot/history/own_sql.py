"""Note the SQL that a revision runs as text. No rule can tell what it does to the data."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import DDL, Connection, TextClause, TextualSelect, event

from alembic_boot.history.checksum import parse
from alembic_boot.sql.statement import is_setting

_TEXT = (TextClause, TextualSelect, DDL)


_BELOW = frozenset(
    {"cursor", "dbapi_connection", "driver_connection", "raw_connection"}
    | {"create_engine", "create_async_engine", "psycopg", "psycopg2", "asyncpg"}
)


def below_sqlalchemy(source: bytes) -> list[str]:
    """Return the names by which a revision's upgrade goes around the connection that we watch.

    These are names of SQLAlchemy and of the drivers. Raises SyntaxError.
    """
    names = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for upgrade in parse(source).body
        if getattr(upgrade, "name", "") != "downgrade"
        for node in ast.walk(upgrade)
        if isinstance(node, ast.Attribute | ast.Name)
    }
    return [f"through {name}" for name in sorted(names & _BELOW)]


class OwnSql:
    """Notes the statements that upgrades execute as text.

    A SELECT counts too, because it may call a function that writes. Settings of the session do not
    count. What SQLAlchemy and Alembic compile from objects shows in the catalogue.
    """

    def __init__(self) -> None:
        self.statements: list[str] = []

    @contextmanager
    def noting(self, connection: Connection) -> Iterator[None]:
        """Note what is executed over a connection meanwhile."""
        event.listen(connection, "before_cursor_execute", self._note)
        try:
            yield
        finally:
            event.remove(connection, "before_cursor_execute", self._note)

    def _note(
        self,
        _connection: Any,
        _cursor: Any,
        statement: str,
        _values: Any,
        context: Any,
        _many: bool,
    ) -> None:
        compiled = context.compiled
        is_text = (
            compiled is None
            or isinstance(compiled.statement, _TEXT)
            # ALTER COLUMN … TYPE … USING an expression
            or getattr(compiled.statement, "using", None) is not None
        )
        if is_text and not is_setting(statement):
            self.statements.append(statement)
