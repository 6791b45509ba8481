"""Note the SQL that a revision runs as text. No rule can tell what it does to the data."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import DDL, Connection, TextClause, TextualSelect, event

from alembic_boot.sql.statement import is_setting


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
        self, _connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: Any
    ) -> None:
        compiled = getattr(context.compiled, "statement", None)
        # ALTER COLUMN … TYPE … USING has an expression, which is a text as well.
        is_text = compiled is None or isinstance(compiled, TextClause | TextualSelect | DDL)
        if (is_text or getattr(compiled, "using", None)) and not is_setting(statement):
            self.statements.append(statement)
