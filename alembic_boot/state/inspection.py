"""In which state a schema is: decided from facts alone, without side effects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from alembic_boot.errors import BootError
from alembic_boot.history.history import History, Target


class SchemaState(StrEnum):
    """Where a database stands, seen from a target in a history."""

    EMPTY = "empty"
    """No tables in the schemas that count; those of extensions do not count."""
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
class Applied:
    """A revision of the database by its journal: as it stood on the disk of who applied it."""

    revision: str
    parents: tuple[str, ...]
    is_expand: bool
    file_sha256: str | None = None
    checksum: str | None = None
    """Of its upgrade; in rows of older releases, of the whole file's code."""
    when: datetime | None = None
    host: str | None = None
    app_version: str | None = None
    is_stamp: bool = False
    """Whether it was only recorded: its parents may be what it has replaced."""
    former: tuple[str, ...] = ()
    """Of a stamp, the checksums of the files of this id that were recorded before: the release
    before still has one of them, and its schema is the same."""


@dataclass(frozen=True)
class Replaced:
    """An applied revision whose id leads to something else on disk."""

    entry: Applied
    file: str
    """The file's name."""
    parents: tuple[str, ...]
    """The parents that the file names."""
    is_same_upgrade: bool
    """Whether only the parents are others."""
    is_same_revision: bool
    """Whether the id proves that the file is the applied one, edited since."""

    @property
    def is_moved(self) -> bool:
        """Whether the file stands on other revisions than the applied one does."""
        return set(self.parents) != set(self.entry.parents)


@dataclass(frozen=True)
class Doubt:
    """A revision whose last try has committed what may do harm where it is done again."""

    revision: str
    direction: str
    """Whether it went up or down then, as the journal has it."""
    label: str
    committed: str
    """What it was, in words of SQL."""
    row: str
    """Where the journal has it, as SQL."""
    is_changed: bool
    """Whether its file was changed since: somebody has looked at it."""


@dataclass(frozen=True)
class TooLong:
    """Revisions with ids that the version table has no room for."""

    ids: tuple[str, ...]
    table: str
    room: int
    """The characters that an id may have."""
    widening: str
    """The SQL that makes room."""


@dataclass(frozen=True)
class Unencodable:
    """Revisions with ids that the encoding of the database has no characters for."""

    ids: tuple[str, ...]
    encoding: str
    """Of the database, by PostgreSQL's name."""


@dataclass(frozen=True)
class DatabaseFacts:
    """The facts about a database that `inspect` needs."""

    current: tuple[str, ...]
    """The rows of the version table, sorted; none where it is missing or empty."""
    tables: tuple[str, ...]
    """Tables of people's own, without the version table and boot's journal; read only where no
    revision is recorded."""
    journal: tuple[Applied, ...] = ()
    """What is in the database by its journal, which says nothing of what it has no row of. It is
    not read if its digest says that it agrees with what is known."""
    journal_refusal: BootError | None = None
    """Why the journal cannot be read as a whole, where it cannot."""
    digest: str = field(default="", compare=False)
    """The `digest_of` the journal; empty if it has no row."""


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
    contracting: tuple[str, ...] = ()
    """Unknown ones that are not journalled as `expand`: this code may not work on them."""
    replaced: tuple[Replaced, ...] = ()
    """Applied revisions that the files on disk do not describe."""
    irreversible: tuple[str, ...] = ()
    """Why which of the revisions beyond the target cannot be taken back, a sentence each."""
    doubts: tuple[Doubt, ...] = ()
    """Of what a part was committed before it was cut short."""
    is_twofold: bool = False
    """Whether one recorded revision is the ancestor of another, or is recorded twice."""
    too_long: TooLong | None = None
    """Revisions that could not be recorded if they ran."""
    unencodable: Unencodable | None = None
    """The same, for another reason."""
    applied: frozenset[str] = field(default=frozenset(), compare=False)
    """Known revisions that are in the database, by its version table and its journal."""
    strangers: tuple[Applied, ...] = field(default=(), compare=False)
    """The journal's rows of the unknown revisions."""
    staying: tuple[str, ...] = field(default=(), compare=False)
    """The known revisions that the unknown ones stand on or are recorded beside, in order."""
    digest: str = field(default="", compare=False)
    """Of what the journal says of the applied files."""

    @property
    def is_journalled(self) -> bool:
        """Whether the journal has a row of anything that was applied."""
        return bool(self.digest)


def at_target(facts: DatabaseFacts, target: Target, heads: tuple[str, ...]) -> Inspection:
    """Return the state of a database whose version table holds what the target stands for."""
    return Inspection(SchemaState.CURRENT, facts.current, target, heads, (), (), (), facts.tables)


def inspect(facts: DatabaseFacts, history: History, target: Target) -> Inspection:
    """Return the state of a database with these facts, seen from this target.

    Revisions are compared with all that they stand on, because with `depends_on` the version
    table may hold fewer rows than there are heads.
    """
    known = tuple(row for row in facts.current if row in history.revisions)
    lineage = _trace(facts, history)
    unknown = tuple(sorted(lineage.unknown))
    applied = history.closure([*known, *lineage.roots])
    wanted = history.closure(target.revisions)
    is_twofold = _overlap(known, history)
    if is_twofold:
        state = SchemaState.DIVERGED
    elif unknown:
        is_ahead = lineage.is_whole and lineage.roots <= set(history.heads) <= applied
        state = SchemaState.AHEAD if is_ahead else SchemaState.DIVERGED
    else:
        state = _state(facts, applied, wanted)
    return Inspection(
        state=state,
        current=facts.current,
        target=target,
        heads=history.heads,
        pending=history.in_order(wanted - applied),
        beyond=history.in_order(applied - wanted)[::-1],
        unknown=unknown,
        tables=facts.tables,
        contracting=tuple(sorted(set(unknown) - lineage.expanding)),
        is_twofold=is_twofold,
        applied=applied,
        strangers=tuple(entry for entry in facts.journal if entry.revision in lineage.unknown),
        staying=history.in_order(lineage.roots.union(known)) if unknown else (),
        digest=facts.digest,
    )


@dataclass(frozen=True)
class _Lineage:
    """The unknown revisions of a database, followed down by its journal."""

    unknown: frozenset[str]
    expanding: frozenset[str]
    roots: frozenset[str]
    """Known revisions that the unknown ones stand on."""
    is_whole: bool
    """Whether the journal follows each of them down to known ones."""


def _trace(facts: DatabaseFacts, history: History) -> _Lineage:
    journal = {entry.revision: entry for entry in facts.journal}
    unknown: set[str] = set()
    roots: set[str] = set()
    is_whole = True
    waiting = [row for row in facts.current if row not in history.revisions]
    while waiting:
        revision = waiting.pop()
        if revision in history.revisions:
            roots.add(revision)
        elif revision not in unknown:
            unknown.add(revision)
            entry = journal.get(revision)
            # One that has no parents began a history of its own.
            is_whole = is_whole and entry is not None and bool(entry.parents)
            waiting += entry.parents if entry else ()
    if unknown:
        # What a revision depends on besides its parents has no place in this walk. What known ones
        # were applied on top of is of an older history, and was squashed or renamed since.
        older = _below(history.revisions, journal)
        unknown |= {name for name in journal if name not in history.revisions} - older
    return _Lineage(
        frozenset(unknown),
        frozenset(name for name in unknown if name in journal and journal[name].is_expand),
        frozenset(roots),
        is_whole and bool(roots),
    )


def _below(known: Iterable[str], journal: Mapping[str, Applied]) -> set[str]:
    """Return what stands below known revisions by the journal, whether it is known or not."""
    found: set[str] = set()
    waiting = [parent for name in known if name in journal for parent in journal[name].parents]
    while waiting:
        if (current := waiting.pop()) not in found:
            found.add(current)
            waiting += journal[current].parents if current in journal else ()
    return found


def _overlap(known: Sequence[str], history: History) -> bool:
    """Whether a row says again what another one implies: Alembic never leaves that behind."""
    return len(set(known)) < len(known) or any(
        row in history.lineage(history.revisions[other].parents) for row in known for other in known
    )


def _state(facts: DatabaseFacts, applied: frozenset[str], wanted: frozenset[str]) -> SchemaState:
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
