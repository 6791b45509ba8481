"""In which state a schema is: decided from facts alone, without side effects."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from backend.boot.migration.history import History, Target


class SchemaState(StrEnum):
    """Where a database stands, seen from a target in a history."""

    EMPTY = "empty"
    """No tables in the schemas on the search_path; those of extensions do not count."""
    UNMANAGED = "unmanaged"
    """Tables, and nothing that says at which revision they are."""
    BEHIND = "behind"
    """The target has revisions that the database has not."""
    CURRENT = "current"
    """At the target."""
    PAST = "past"
    """At known revisions beyond the target."""
    AHEAD = "ahead"
    """Has revisions this code does not know, all descendants of its head by the journal."""
    DIVERGED = "diverged"
    """Anything else: the two cannot be placed in one line."""


@dataclass(frozen=True)
class DatabaseFacts:
    """What was read from a database: no more than `inspect` needs."""

    current: tuple[str, ...]
    """The rows of the version table, sorted; none where it is missing or empty."""
    tables: tuple[str, ...]
    """Tables of people's own, without the version table and boot's journal."""


NO_DATABASE = DatabaseFacts((), ())
"""The facts of a database that is yet to be created."""


@dataclass(frozen=True)
class Inspection:
    """The state, and what it was concluded from."""

    state: SchemaState
    current: tuple[str, ...]
    target: Target
    heads: tuple[str, ...]
    pending: tuple[str, ...]
    """Revisions to apply, in order."""
    beyond: tuple[str, ...]
    """Known revisions beyond the target, newest first: what a rollback would take back."""
    unknown: tuple[str, ...]
    """Revisions of the database that this history does not have."""
    tables: tuple[str, ...]


def inspect(facts: DatabaseFacts, history: History, target: Target) -> Inspection:
    """Return the state of a database with these facts, seen from this target.

    Revisions are compared with all that they stand on, because with `depends_on` the version
    table may hold fewer rows than there are heads.
    """
    unknown = tuple(row for row in facts.current if row not in history.revisions)
    applied = history.closure(row for row in facts.current if row not in unknown)
    wanted = history.closure(target.revisions)
    return Inspection(
        state=_state(facts, unknown, _overlap(facts, history), applied, wanted),
        current=facts.current,
        target=target,
        heads=history.heads,
        pending=history.in_order(wanted - applied),
        beyond=history.in_order(applied - wanted)[::-1],
        unknown=unknown,
        tables=facts.tables,
    )


def _overlap(facts: DatabaseFacts, history: History) -> bool:
    """Whether a row says again what another one implies: Alembic never leaves that behind."""
    known = [row for row in facts.current if row in history.revisions]
    return len(set(known)) < len(known) or any(
        row in history.lineage(history.revisions[other].parents) for row in known for other in known
    )


def _state(
    facts: DatabaseFacts,
    unknown: Sequence[str],
    overlaps: bool,
    applied: frozenset[str],
    wanted: frozenset[str],
) -> SchemaState:
    if unknown or overlaps:
        return SchemaState.DIVERGED
    if not facts.current and facts.tables:
        return SchemaState.UNMANAGED
    if applied == wanted:
        return SchemaState.CURRENT if facts.current else SchemaState.EMPTY
    if not facts.current:
        return SchemaState.EMPTY
    if applied < wanted:
        return SchemaState.BEHIND
    if applied > wanted:
        return SchemaState.PAST
    return SchemaState.DIVERGED
