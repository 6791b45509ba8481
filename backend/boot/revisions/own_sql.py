"""What a revision runs as SQL of its own, which no rule can judge."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import DDL, TextClause, TextualSelect, event

_TEXT = (TextClause, TextualSelect, DDL)

_SETTING = re.compile(r"\s*(SET|RESET|SHOW)\b[^;]*;?\s*", re.IGNORECASE)


class OwnSql:
    """Notes what upgrades execute as text: nothing tells what it does to the data.

    So a SELECT counts as well, since it may call a function that writes; the settings of the
    session do not. What SQLAlchemy and Alembic compile from objects shows in the catalogue, or is
    plain to read.
    """

    def __init__(self) -> None:
        self.statements: list[str] = []

    def attach(self, context: MigrationContext) -> None:
        """Watch the upgrades that will be run in this context, and nothing around them."""
        steps: Any = context._migrations_fn

        def watched(heads: Any, context: MigrationContext) -> Iterator[Any]:
            for step in steps(heads, context):
                step.migration_fn = self._watched(step.migration_fn, context.connection)
                yield step

        context._migrations_fn = watched

    def _watched(self, upgrade: Callable[..., None], connection: Any) -> Callable[..., None]:
        def run(**arguments: Any) -> None:
            event.listen(connection, "before_cursor_execute", self._note)
            try:
                upgrade(**arguments)
            finally:
                event.remove(connection, "before_cursor_execute", self._note)

        return run

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
        is_text = compiled is None or isinstance(compiled.statement, _TEXT)
        if is_text and _SETTING.fullmatch(statement) is None:
            self.statements.append(statement)
