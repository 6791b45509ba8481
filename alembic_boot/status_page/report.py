"""The content of the status page: plain frozen data, between those who read it and those who draw.

All durations are in seconds. All points in time have a time zone.
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from alembic_boot.output.masking import mask
from alembic_boot.situation import Build

T = TypeVar("T")

LONGEST = 2_000
"""Characters of one text of a report."""


class Condition(StrEnum):
    """The condition of the service."""

    BOOTING = "booting"
    READY = "ready"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


class StageStatus(StrEnum):
    """The progress of one stage of a start."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RevisionStatus(StrEnum):
    """The relation of a revision to the database."""

    APPLIED = "applied"
    RUNNING = "running"
    PENDING = "pending"
    FAILED = "failed"
    """The last attempt failed."""
    EDITED = "edited"
    """Applied, but the file has changed since."""
    UNKNOWN = "unknown"
    """Recorded in the database, but not in this history."""
    BEYOND = "beyond"
    """Applied, but beyond the target."""


@dataclass(frozen=True)
class Stage:
    """A stage of the start: `wait`, `migrate`, `seed` or `serve`."""

    name: str
    status: StageStatus
    seconds: float | None = None


@dataclass(frozen=True)
class RunningRevision:
    """The revision that runs now."""

    id: str
    title: str
    number: int
    of: int
    elapsed: float
    statement: str | None = None
    """The SQL statement at work, shortened and without its values."""
    blocked_by: str | None = None
    blocked_for: float | None = None
    tries: int = 1
    budget_left: float | None = None
    """Seconds for which live traffic may still block it."""
    index: Build | None = None


@dataclass(frozen=True)
class JournalRow:
    """One run of a revision."""

    revision: str
    title: str
    direction: str
    """`upgrade`, `downgrade` or `stamp`."""
    phase: str | None
    """`expand` or `contract`; None if unknown."""
    status: str
    """`running`, `applied`, `failed` or `died`."""
    started_at: datetime | None
    seconds: float | None
    host: str | None
    release: str | None
    error: str | None


@dataclass(frozen=True)
class JournalPage:
    """A page of the journal, newest row first."""

    rows: tuple[JournalRow, ...] = ()
    number: int = 1
    has_older: bool = False


@dataclass(frozen=True)
class Revision:
    """A revision of the history on disk, or one that only the database knows."""

    id: str
    title: str
    down: tuple[str, ...]
    """The revisions below it."""
    status: RevisionStatus
    phase: str | None = None
    labels: tuple[str, ...] = ()
    is_head: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    type: str
    is_nullable: bool
    is_primary_key: bool = False


@dataclass(frozen=True)
class ForeignKey:
    """A reference to another table, by the qualified names as `Table.name` has them."""

    columns: tuple[str, ...]
    to_table: str
    to_columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of the database."""

    name: str
    """With its schema, unless that is the first one of the search path."""
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    differs: bool = False
    """Whether it differs from the models."""


@dataclass(frozen=True)
class Session:
    """A process that is connected to the database."""

    application: str
    is_starter: bool
    release: str | None
    host: str | None
    since: datetime | None
    """None if the role may not see it."""
    count: int = 1
    """The number of its connections."""


@dataclass(frozen=True)
class Link:
    """A page of the service itself."""

    name: str
    address: str


@dataclass(frozen=True)
class Report:
    """All of it, at one moment. What could not be read is None, and `problems` says why."""

    at: datetime
    service: str
    release: str | None
    condition: Condition
    state: str | None = None
    """A SchemaState."""
    current: tuple[str, ...] = ()
    target: str | None = None
    reason: str | None = None
    """One sentence: why it is not ready, or not wholly."""
    command: str | None = None
    """The exact command that helps."""
    elapsed: float | None = None
    """Seconds since the boot began, while it is at work."""
    stages: tuple[Stage, ...] = ()
    running: RunningRevision | None = None
    journal: JournalPage | None = None
    revisions: tuple[Revision, ...] | None = None
    tables: tuple[Table, ...] | None = None
    differences: tuple[str, ...] = ()
    """Between the models and the schema, a sentence each."""
    sessions: tuple[Session, ...] | None = None
    problems: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class RevisionDetail:
    """A revision with its file."""

    revision: Revision
    path: str | None
    source: str | None
    sql: str | None
    """The SQL of its upgrade, if it can be rendered without a database."""
    runs: tuple[JournalRow, ...] = ()


Key = int | str
"""A page of the journal, with all the rest; or the id of a revision."""

Found = Report | RevisionDetail | None
"""What is collected for a key; None if there is no such revision."""


def bounded(value: T, longest: int = LONGEST) -> T:
    """Return the same data, with each text masked and at most that long."""
    seen: dict[str, str] = {}

    def text(original: str) -> str:
        if original not in seen:
            # First masked: the rest of a password that is cut would not be recognised.
            masked = mask(original[: 2 * longest])
            seen[original] = masked if len(masked) <= longest else f"{masked[: longest - 1]}…"
        return seen[original]

    def walk(it: Any) -> Any:
        if type(it) is str:
            return text(it)
        if isinstance(it, tuple):
            return tuple(map(walk, it))
        if is_dataclass(it) and not isinstance(it, type):
            return replace(it, **{one.name: walk(getattr(it, one.name)) for one in fields(it)})
        return it

    found: T = walk(value)
    return found
