"""The situation of this process's boot: what it does now, for answers while nothing serves yet.

It is a note for people and probes. No decision of the boot depends on it.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Build:
    """An index that is being built, as the server reports it."""

    name: str
    """The table's, until there is an index."""
    phase: str
    done: int
    total: int
    """Blocks or tuples of the phase; 0 if the server does not measure it."""

    def __str__(self) -> str:
        done = f", {100 * self.done // self.total} %" if self.total else ""
        return f"building {self.name} ({self.phase}{done})"


@dataclass(frozen=True)
class Situation:
    """The work of a boot at one moment. Times are in seconds, by the monotonic clock."""

    began_at: float
    """When the boot began."""
    stage: str = "bind"
    """`bind`, `wait`, `migrate`, `lock`, `seed` or `serve`."""
    stage_began_at: float = 0
    limit: float | None = None
    """Seconds that the stage may take by its own settings; None without a limit."""
    revision: str | None = None
    """The revision that runs, with its title."""
    revision_began_at: float = 0
    build: Build | None = None
    """The index that the revision builds."""
    done: int = 0
    """Revisions that are committed."""
    of: int = 0
    """Revisions of the plan."""
    blocked_by: str | None = None
    """What the stage waits for."""
    blocked_since: float = 0
    reason: str | None = None
    """Why the boot is not further."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """The seconds of the stages that are over."""
    is_booting: bool = False
    """Whether this process is at work on a boot, and the application has not taken over."""
    revision_id: str | None = None
    """The id of the revision that runs."""
    tries: int = 0
    """Tries of the revision that live traffic has ended."""
    budget_left: float | None = None
    """Seconds for which live traffic may still block the run."""
    statement: str | None = None
    """The statement of the revision that was sent last."""

    def elapsed(self, now: float) -> float:
        """Return the seconds since the boot began."""
        return now - self.began_at

    def is_overdue(self, now: float, grace: float) -> bool:
        """Return whether the stage has passed its own limit by `grace` seconds."""
        return self.limit is not None and now - self.stage_began_at > self.limit + grace


_situation = Situation(time.monotonic())
_statement: str | None = None
_changing = threading.Lock()


def situation() -> Situation:
    """Return the present situation. It may be read from any thread."""
    return replace(_situation, statement=_statement)


def begin_boot() -> None:
    """Forget an earlier boot."""
    global _situation  # noqa: PLW0603 (a process has one boot at a time)
    _situation = Situation(time.monotonic(), is_booting=True)


def enter(stage: str, limit: float | None = None) -> None:
    """Note that a stage begins; `limit` is the number of seconds that it may take."""
    note(
        stage=stage,
        stage_began_at=time.monotonic(),
        limit=limit,
        revision=None,
        build=None,
        blocked_by=None,
        reason=None,
    )
    note_statement(None)


@contextmanager
def timed(stage: str, limit: float | None = None) -> Iterator[None]:
    """Run the block as a stage, and note its seconds, however it ends; see `enter`.

    The time of an inner stage counts only for that stage.
    """
    enter(stage, limit)
    began, before = time.monotonic(), sum(_situation.seconds.values())
    try:
        yield
    finally:
        inner = sum(_situation.seconds.values()) - before
        taken = time.monotonic() - began - inner
        note(seconds={**_situation.seconds, stage: taken})


def note_statement(statement: str | None) -> None:
    """Note the statement that is sent: cheaper than `note`, because there may be thousands."""
    global _statement  # noqa: PLW0603
    _statement = statement


def note(**changes: Any) -> None:
    """Note facts of the stage that runs, from any thread."""
    global _situation  # noqa: PLW0603
    with _changing:
        if changes.get("blocked_by") and _situation.blocked_by is None:
            changes["blocked_since"] = time.monotonic()
        _situation = replace(_situation, **changes)
