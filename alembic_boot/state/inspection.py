"""Decide in which state a schema is, from facts alone and without side effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from alembic_boot.errors import BootError
from alembic_boot.history.history import History, Target, reached
from alembic_boot.state.edits import Replaced, replaced_revisions
from alembic_boot.state.journal_rows import Applied


class SchemaState(StrEnum):
    """The state of a database, relative to a target in a history."""

    EMPTY = "empty"
    """No tables in the schemas that count; tables of extensions do not count."""
    UNMANAGED = "unmanaged"
    """Tables, but no record of their revision."""
    BEHIND = "behind"
    """The target has revisions that the database does not have. The database may be at base."""
    CURRENT = "current"
    """At the target."""
    PAST = "past"
    """At known revisions beyond the target."""
    AHEAD = "ahead"
    """Has revisions that this code does not know; all descend from its head by the journal."""
    DIVERGED = "diverged"
    """Anything else: the database and the code are not on one line."""

    @property
    def words(self) -> str:
        """Return the state as a sentence has it: past and ahead of what."""
        return {self.PAST: "past the target", self.AHEAD: "ahead of this release"}.get(self, self)


@dataclass(frozen=True)
class DatabaseFacts:
    """The facts about a database that `inspect` needs."""

    current: tuple[str, ...]
    """The rows of the version table, sorted; none if it is missing or empty."""
    tables: tuple[str, ...]
    """Tables of users, without our own two; read only if no revision is recorded."""
    journal: tuple[Applied, ...] = ()
    """The applied revisions; read only if the digest differs from that of the files."""
    journal_refusal: BootError | None = None
    """The reason if the journal cannot be read completely."""
    digest: str = field(default="", compare=False)
    """The `digest_of` the journal; empty if it has no row."""
    is_at_base: bool = False
    """Whether the journal shows that nothing of this history is among the tables any more."""


NO_DATABASE = DatabaseFacts((), ())
"""The facts of a database that will be created."""


@dataclass(frozen=True)
class Inspection:
    """The state, and the facts behind it."""

    state: SchemaState
    current: tuple[str, ...]
    target: Target
    heads: tuple[str, ...]
    pending: tuple[str, ...]
    """Revisions to apply, in order."""
    beyond: tuple[str, ...]
    """Known revisions beyond the target, newest first: a rollback would downgrade them."""
    unknown: tuple[str, ...]
    """Revisions of the database that this history does not have."""
    tables: tuple[str, ...]
    contracting: tuple[str, ...] = ()
    """Unknown ones that are not journalled as `expand`: this code may not work on them."""
    replaced: tuple[Replaced, ...] = ()
    """Applied revisions that differ from the files on disk."""
    is_twofold: bool = False
    """Whether a recorded revision is the ancestor of another, or is recorded twice."""
    applied: frozenset[str] = field(default=frozenset(), compare=False)
    """Known revisions in the database, by its version table and its journal."""
    unknown_rows: tuple[Applied, ...] = field(default=(), compare=False)
    """The journal's rows of the unknown revisions."""
    staying: tuple[str, ...] = field(default=(), compare=False)
    """Known revisions that the unknown ones depend on or are recorded beside, in order."""
    digest: str = field(default="", compare=False)
    """Digest of the journal's rows about the applied files."""

    @property
    def is_journalled(self) -> bool:
        """Return whether the journal has a row of any applied revision."""
        return bool(self.digest)


def at_target(facts: DatabaseFacts, target: Target, heads: tuple[str, ...]) -> Inspection:
    """Return the state of a database whose version table holds the revisions of the target."""
    return Inspection(SchemaState.CURRENT, facts.current, target, heads, (), (), (), facts.tables)


def inspect(facts: DatabaseFacts, history: History, target: Target) -> Inspection:
    """Return the state of a database with these facts, relative to this target.

    Revisions are compared with all of their ancestors and dependencies, because with `depends_on`
    the version table may have fewer rows than there are heads. Raises the refusal of an unreadable
    journal if only the journal can tell what is unknown.
    """
    journal = {entry.revision: entry for entry in facts.journal}
    known = tuple(row for row in facts.current if row in history.revisions)
    unknown, roots, is_whole = _trace(facts.current, journal, history)
    if unknown and facts.journal_refusal is not None:
        raise facts.journal_refusal
    applied = history.closure([*known, *roots])
    wanted = history.closure(target.revisions)
    is_twofold = _overlap(known, history)
    replaced = replaced_revisions(facts.journal, applied, history)
    if is_twofold or replaced:
        state = SchemaState.DIVERGED
    elif unknown:
        is_ahead = is_whole and roots <= set(history.heads) <= applied
        state = SchemaState.AHEAD if is_ahead else SchemaState.DIVERGED
    else:
        state = _state(facts, applied, wanted)
    expanding = {name for name, entry in journal.items() if entry.is_expand}
    return Inspection(
        state=state,
        current=facts.current,
        target=target,
        heads=history.heads,
        pending=history.in_order(wanted - applied),
        beyond=history.in_order(applied - wanted)[::-1],
        unknown=tuple(sorted(unknown)),
        tables=facts.tables,
        contracting=tuple(sorted(unknown - expanding)),
        replaced=replaced,
        is_twofold=is_twofold,
        applied=applied,
        unknown_rows=tuple(entry for entry in facts.journal if entry.revision in unknown),
        staying=history.in_order(roots.union(known)) if unknown else (),
        digest=facts.digest,
    )


def _trace(
    rows: Sequence[str], journal: Mapping[str, Applied], history: History
) -> tuple[frozenset[str], frozenset[str], bool]:
    """Return the unknown revisions of a database, and the known ones that they stand on.

    The last value tells whether the journal traces each row down to known revisions. Dependencies
    other than parents are not traced.
    """

    def below(name: str) -> tuple[str, ...]:
        return journal[name].parents if name in journal else ()

    known = history.revisions.keys()
    traced = reached(set(rows) - known, lambda name: () if name in known else below(name))
    unknown, roots = traced - known, traced & known
    # A revision without parents began a history of its own.
    is_whole = bool(roots) and all(map(below, unknown))
    if unknown:
        # Below known revisions the journal shows an older history, squashed or renamed since.
        older = reached((parent for name in known for parent in below(name)), below)
        unknown |= journal.keys() - known - older
    return unknown, roots, is_whole


def _overlap(known: Sequence[str], history: History) -> bool:
    """Return whether one row implies another: Alembic itself never leaves that."""
    return len(set(known)) < len(known) or any(
        row in history.lineage(history.revisions[other].parents) for row in known for other in known
    )


def _state(facts: DatabaseFacts, applied: frozenset[str], wanted: frozenset[str]) -> SchemaState:
    if not facts.current and not facts.is_at_base:
        return SchemaState.UNMANAGED if facts.tables else SchemaState.EMPTY
    if applied == wanted:
        return SchemaState.CURRENT
    if applied < wanted:
        return SchemaState.BEHIND
    if applied > wanted:
        return SchemaState.PAST
    return SchemaState.DIVERGED
