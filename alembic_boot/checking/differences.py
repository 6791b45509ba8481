"""The differences between env.py's models and a schema, by Alembic."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import ARRAY, Connection, Enum, MetaData, Table, TypeDecorator, inspect
from sqlalchemy.types import TypeEngine

from alembic_boot.sql.writing import constant, quoted
from alembic_boot.state.journal_queries import JOURNAL_TABLE

Operation = ops.MigrateOperation


SCHEMA = "schema"
MIGRATIONS = "migrations"
"""What the models are compared with: a database's schema, or what the migrations make."""


@dataclass(frozen=True)
class Difference:
    """One difference, in words."""

    text: str
    is_harmless: bool = False
    """Whether it is a table or an index that only the schema has."""
    table: str | None = None
    """The table that it is in, with its schema if the models name one."""
    advice: str = field(default="", compare=False)
    """What to do, as a clause with the operations of a revision that removes the difference."""


def operations(context: MigrationContext) -> list[Operation]:
    """Return the operations of a revision that removes the differences; without the journal."""
    missing = produce_migrations(context, context.opts["target_metadata"]).upgrade_ops
    if missing is None:
        return []
    return [it for it in _single(missing) if getattr(it, "table_name", None) != JOURNAL_TABLE]


def _single(container: ops.OpContainer) -> Iterator[Operation]:
    for operation in container.ops:
        if isinstance(operation, ops.ModifyTableOps):
            yield from _single(operation)
        else:
            yield operation


def code(operation: Operation) -> str:
    """Return the operation as the code of a revision, on one line."""
    lines = render_python_code(ops.UpgradeOps([operation])).splitlines()
    return " ".join(it.strip() for it in lines if "###" not in it)


@dataclass(frozen=True)
class MissingLabel:
    """A label of an enum that only the models have."""

    schema: str | None
    enum: str
    label: str
    place: str
    """Its place among the others, as SQL says it."""

    def difference(self, other: str = SCHEMA) -> Difference:
        """Return the difference from `other`, in words."""
        return Difference(
            f"label {self.label!r} of enum {self.enum} is in the models and not in the {other}",
            advice=f"write a revision with {self.statement}, or remove it from the models",
        )

    @property
    def statement(self) -> str:
        """The statement that adds the label."""
        name = ".".join(quoted(it) for it in (self.schema, self.enum) if it)
        added = f"ADD VALUE IF NOT EXISTS {constant(self.label)}{self.place}"
        return f"ALTER TYPE {name} {added}"


def missing_labels(context: MigrationContext) -> list[MissingLabel]:
    """Return enum labels that only the models have: Alembic does not compare labels.

    A missing enum comes with the column that needs it.
    """
    if context.connection is None:
        return []
    metadata = context.opts["target_metadata"]
    every = [metadata] if isinstance(metadata, MetaData) else metadata
    there = _enums(context.connection)
    found = {
        MissingLabel(enum.schema, str(enum.name), label, _place(enum.enums, label)): None
        for enum in _enums_of(every)
        if (labels := there.get((enum.schema, str(enum.name)))) is not None
        for label in enum.enums
        if label not in labels
    }
    return list(found)


def _place(labels: Sequence[str], label: str) -> str:
    """Return the clause for the place of a label; the labels before it are there by then."""
    place = labels.index(label)
    if place:
        return f" AFTER {constant(labels[place - 1])}"
    return f" BEFORE {constant(labels[1])}" if labels[1:] else ""


def _enums(connection: Connection) -> dict[tuple[str | None, str], list[str]]:
    inspector: Any = inspect(connection)
    found: dict[tuple[str | None, str], list[str]] = {}
    for it in inspector.get_enums(schema="*"):
        found[it["schema"], it["name"]] = it["labels"]
        if it["visible"]:
            found[None, it["name"]] = it["labels"]
    return found


def _enums_of(every: Sequence[MetaData]) -> Iterator[Enum]:
    for metadata in every:
        for table in metadata.tables.values():
            for column in table.columns:
                kind = _innermost(column.type)
                if isinstance(kind, Enum) and kind.native_enum and kind.name:
                    yield kind


def _innermost(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    while isinstance(kind, ARRAY | TypeDecorator):
        kind = kind.item_type if isinstance(kind, ARRAY) else kind.impl_instance
    return kind


def in_words(found: Sequence[Operation], other: str = SCHEMA) -> list[Difference]:
    """Return the differences from `other` behind these operations, each once."""
    whole = {_subject(it)[1] for it in found if isinstance(it, ops.CreateTableOp | ops.DropTableOp)}
    groups: dict[object, list[Operation]] = {}
    for it in found:
        name, table = _subject(it)
        # Indexes of an added or dropped table need no line.
        if not isinstance(it, ops.CreateIndexOp | ops.DropIndexOp) or table not in whole:
            groups.setdefault(name or id(it), []).append(it)
    return list(dict.fromkeys(it for one in groups.values() for it in _said(one, other)))


_ADDITIONS = (ops.CreateTableOp, ops.AddColumnOp, ops.CreateIndexOp, ops.AddConstraintOp)
_REMOVALS = (ops.DropTableOp, ops.DropColumnOp, ops.DropIndexOp, ops.DropConstraintOp)


def _said(same: Sequence[Operation], other: str) -> Iterator[Difference]:
    """Yield the words for the operations of one object; several drop it and create it again."""
    operation, (name, table) = same[0], _subject(same[0])
    write = f"write a revision with {' and '.join(map(code, same))}"
    is_added = {isinstance(it, _ADDITIONS) for it in same}
    if isinstance(operation, ops.AlterColumnOp):
        advice = f"change the models, or {write}"
        yield from (Difference(it, table=table, advice=advice) for it in _changes(operation, other))
    elif name is None:
        advice = "write it, or change the models"
        yield Difference(f"no revision has {code(operation)}", table=table, advice=advice)
    elif is_added == {True, False}:
        text = f"{name} differs between the models and the {other}"
        yield Difference(text, table=table, advice=f"change the models, or {write}")
    elif is_added == {True}:
        text = f"{name} is in the models and not in the {other}"
        yield Difference(text, table=table, advice=f"{write}, or remove it from the models")
    else:
        text = f"{name} is in the {other} and not in the models"
        advice = f"add it to the models, or {write}"
        yield Difference(text, _is_harmless(operation), table, advice)


def _subject(operation: Any) -> tuple[str | None, str | None]:
    """Return the object that an operation creates or drops, and its table; None for no such one."""
    if not isinstance(operation, (*_ADDITIONS, *_REMOVALS)):
        return None, _table(operation) if hasattr(operation, "table_name") else None
    parts: tuple[Any, ...] = operation.to_diff_tuple()
    _, *place, item = parts
    if place:
        return f"column {_table(operation)}.{item.name}", _table(operation)
    table = getattr(item, "table", item).fullname
    if isinstance(item, Table):
        return f"table {table}", table
    # A constraint without a name is identified by its columns.
    name = item.name or f"of {', '.join(it.name for it in item.columns)}"
    return f"{item.__visit_name__.replace('_', ' ')} {name} on {table}", table


def _table(operation: Any) -> str:
    return ".".join(filter(None, (operation.schema, operation.table_name)))


def _is_harmless(operation: Operation) -> bool:
    if isinstance(operation, ops.DropIndexOp):
        return not operation.to_index().unique
    return isinstance(operation, ops.DropTableOp)


def _changes(operation: ops.AlterColumnOp, other: str) -> Iterator[str]:
    column = f"column {_table(operation)}.{operation.column_name}"
    for change, *_, there, wanted in operation.to_diff_tuple():
        if change == "modify_type":
            yield f"{column} is {wanted} in the models and {there} in the {other}"
        elif change == "modify_nullable":
            is_null = ("NULL", "NOT NULL") if wanted else ("NOT NULL", "NULL")
            yield f"{column} is {is_null[0]} in the models and {is_null[1]} in the {other}"
        else:
            kind = change.removeprefix("modify_")
            yield f"{column} has different {kind}s in the models and in the {other}"
