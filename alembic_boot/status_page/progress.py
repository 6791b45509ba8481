"""The progress of a boot for the status page, from the boot's own notes and without a database."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from alembic_boot.situation import Situation
from alembic_boot.sql.pieces import name_of
from alembic_boot.status_page.report import (
    Condition,
    Report,
    RunningRevision,
    Stage,
    StageStatus,
)

_STAGES = ("wait", "migrate", "seed", "serve")

_READ = 2000
"""Characters of a statement that are read for its name: it may be one of megabytes."""


def stages_of(situation: Situation, now: float) -> tuple[Stage, ...]:
    """Return the stages of the boot that this process is at; `now` is by the situation's clock."""
    at = "migrate" if situation.stage == "lock" else situation.stage
    place = _STAGES.index(at) if at in _STAGES else -1

    def stage(number: int, name: str) -> Stage:
        if number < place:
            return Stage(name, StageStatus.DONE, situation.seconds.get(name))
        if number == place:
            return Stage(name, StageStatus.RUNNING, now - situation.stage_began_at)
        return Stage(name, StageStatus.WAITING)

    return tuple(stage(number, name) for number, name in enumerate(_STAGES))


def stages_after(seconds: Mapping[str, float], *, has_failed: bool) -> tuple[Stage, ...]:
    """Return the stages of a boot that is over; none if there was no boot."""

    def status(name: str) -> StageStatus:
        if has_failed and name == "migrate":
            return StageStatus.FAILED
        return StageStatus.DONE if name in seconds or name == "serve" else StageStatus.WAITING

    return tuple(Stage(it, status(it), seconds.get(it)) for it in _STAGES if seconds)


def running_of(situation: Situation, now: float) -> RunningRevision | None:
    """Return the revision that this process runs."""
    if situation.revision is None or situation.revision_id is None:
        return None
    is_blocked, statement = situation.blocked_by is not None, situation.statement
    return RunningRevision(
        id=situation.revision_id,
        title=situation.revision.removeprefix(f"{situation.revision_id} "),
        number=min(situation.done + 1, situation.of),
        of=situation.of,
        elapsed=now - situation.revision_began_at,
        statement=statement and name_of(statement[:_READ]),
        blocked_by=situation.blocked_by,
        blocked_for=now - situation.blocked_since if is_blocked else None,
        tries=situation.tries + 1,
        budget_left=situation.budget_left,
        index=situation.build,
    )


def outline(
    service: str, release: str | None, situation: Situation, facts: Mapping[str, Any]
) -> Report:
    """Return a report of the notes of this process alone, and of what its boot has handed over."""
    now = time.monotonic()
    is_booting = situation.is_booting
    failure = facts.get("failure")
    return Report(
        at=datetime.now(UTC),
        service=service,
        release=release,
        condition=Condition.BOOTING if is_booting else Condition.UNAVAILABLE,
        reason=situation.reason if is_booting else failure,
        command=None if is_booting else facts.get("command"),
        elapsed=situation.elapsed(now) if is_booting else None,
        stages=stages_of(situation, now)
        if is_booting
        else stages_after(facts.get("stages", {}), has_failed=failure is not None),
        running=running_of(situation, now),
    )
