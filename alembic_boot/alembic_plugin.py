"""A plugin of Alembic 1.18 and newer: its comparison of models with a schema ignores the journal.

Alembic loads it at each import, so this module imports nothing of Alembic and little else.
"""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin


class _IterableModule(ModuleType):
    """A module that Alembic before 1.20 may iterate over: it took the entry point for a list."""

    def __iter__(self) -> Iterator[ModuleType]:
        yield self


sys.modules[__name__].__class__ = _IterableModule


def setup(plugin: "Plugin") -> None:
    """Register the comparison, after Alembic's own one of tables."""
    from alembic.util import DispatchPriority

    plugin.add_autogenerate_comparator(
        _without_journal, "schema", "schema_journal", priority=DispatchPriority.LAST
    )


def _without_journal(autogen_context: Any, upgrade_ops: Any, _schemas: object) -> Any:
    """Take out of the operations that the journal beside the version table is dropped."""
    from alembic.operations.ops import DropTableOp, ModifyTableOps
    from alembic.util import PriorityDispatchResult

    from alembic_boot.state.journal_queries import JOURNAL_TABLE, TYPES

    context = autogen_context.migration_context
    default = autogen_context.dialect.default_schema_name
    place = (context.version_table_schema or default, JOURNAL_TABLE)

    def is_there(operation: Any) -> bool:
        is_of_table = isinstance(operation, DropTableOp | ModifyTableOps)
        return is_of_table and (operation.schema or default, operation.table_name) == place

    if any(
        isinstance(it, DropTableOp)
        and is_there(it)
        and set(TYPES) <= set(it.to_table().columns.keys())
        for it in upgrade_ops.ops
    ):
        upgrade_ops.ops[:] = [it for it in upgrade_ops.ops if not is_there(it)]
    return PriorityDispatchResult.CONTINUE
