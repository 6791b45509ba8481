"""The one judgement of ready, which probes, the router and the status page print."""

from typing import Any

import pytest

from alembic_boot import commands
from alembic_boot.commands import Program
from alembic_boot.errors import (
    LockTimeoutError,
    MigrationFailedError,
    SchemaPastError,
    SchemaUnmanagedError,
    SeveralHeadsError,
)
from alembic_boot.history.history import Target
from alembic_boot.serving import model_watch, statements
from alembic_boot.state.inspection import Inspection, SchemaState
from alembic_boot.state.judgement import MOVED, judge, shown
from alembic_boot.state.plan import Action, Plan, refuse
from alembic_boot.state.readiness import Readiness

THERE = Plan(Action.NOTHING)
TO_DO = Plan(Action.UPGRADE, ("c3",))
PAST = SchemaPastError("c3 is past b2.", "Go down.")

BEHIND = "The schema is behind at b2, and should be at c3: run `inv migrate`."
DIFFER = {"differences": "They differ.", "compared_at": ["b2"]}
FAILED = {"failure": "It failed.", "command": "fix", "kind": MigrationFailedError.__name__}


def look(state: SchemaState = SchemaState.BEHIND) -> Inspection:
    return Inspection(state, ("b2",), Target("c3", ("c3",)), ("c3",), (), (), (), ())


@pytest.mark.parametrize(
    ("plan", "facts", "reason", "command"),
    [
        pytest.param(THERE, {}, None, None, id="there"),
        pytest.param(THERE, FAILED, None, None, id="there-after-a-failure"),
        pytest.param(
            THERE, DIFFER, "They differ.", 'inv revision --message "what changed"', id="d"
        ),
        pytest.param(THERE, {**DIFFER, "compared_at": ["a1"]}, MOVED, None, id="moved"),
        pytest.param(TO_DO, {}, BEHIND, "inv migrate", id="behind"),
        pytest.param(TO_DO, DIFFER, BEHIND, "inv migrate", id="behind-and-differs"),
        pytest.param(TO_DO, FAILED, "It failed.", "fix", id="failed"),
        pytest.param(refuse(PAST), FAILED, PAST.public, "inv rollback", id="refused"),
    ],
)
def test_one_look(
    plan: Plan, facts: dict[str, Any], reason: str | None, command: str | None
) -> None:
    """The present comes first: what the boot has met counts only if nothing else is wrong now."""
    found = judge(look(), plan, facts)
    assert (found.ready, found.reason, found.command) == (reason is None, reason, command)
    assert (found.state, found.current, found.target) == ("behind", ("b2",), "c3")
    assert found.cause == (str(PAST) if plan.refusal else None)


def test_requests_that_fail() -> None:
    """A right revision is not enough; a wrong one needs no other reason."""
    assert judge(look(), THERE, {}, "No column.").reason == "No column."
    assert judge(look(), THERE, DIFFER, "No column.").reason == "They differ."
    assert judge(look(), TO_DO, {}, "No column.").reason == BEHIND


@pytest.mark.parametrize(
    ("kind", "state", "has_moved", "is_over"),
    [
        (MigrationFailedError, SchemaState.BEHIND, False, False),
        (LockTimeoutError, SchemaState.EMPTY, False, False),
        (LockTimeoutError, SchemaState.BEHIND, True, True),
        (SchemaUnmanagedError, SchemaState.UNMANAGED, False, False),
        (SchemaUnmanagedError, SchemaState.EMPTY, False, True),
        (SchemaPastError, SchemaState.BEHIND, False, True),
        (SeveralHeadsError, SchemaState.BEHIND, False, True),
    ],
)
def test_when_a_failure_of_the_boot_is_over(
    kind: type, state: SchemaState, has_moved: bool, is_over: bool
) -> None:
    """When the schema is another one, or when this look would have found it again."""
    facts = {**FAILED, "kind": kind.__name__}
    found = judge(look(state), Plan(Action.ADOPT), facts, has_moved=has_moved)
    assert (found.reason != "It failed.") is is_over


YES, SOME = (Readiness(ready=True, state="current", reason=it) for it in (None, "slow"))
NO, GONE = (Readiness(ready=False, state=it, reason="no") for it in ("behind", None))
NAMED = Readiness(ready=False, state="behind", reason="no", cause="c3 failed", command="fix")
OTHER = Readiness(ready=True)
"""An answer of an application that knows nothing of the schema."""


@pytest.mark.parametrize(
    ("said", "own", "expected"),
    [
        (None, YES, YES),
        (None, NAMED, NAMED),
        (YES, NAMED, YES),
        (SOME, YES, SOME),
        (NO, YES, NO),
        (GONE, YES, GONE),
        (NO, NAMED, NAMED),
        (GONE, NAMED, NAMED),
        (OTHER, NAMED, NAMED),
        (OTHER, YES, OTHER),
    ],
)
def test_the_page_never_contradicts_the_service(
    said: Readiness | None, own: Readiness, expected: Readiness
) -> None:
    """Its own look adds names and a command, and judges alone only if the service does not."""
    found = shown(said, own)
    assert found is expected
    assert said is None or said.state is None or found.ready is said.ready


@pytest.mark.parametrize(
    ("answer", "status"),
    [(YES, "ready"), (SOME, "degraded"), (NO, "unavailable"), (GONE, "unavailable")],
)
def test_the_word(answer: Readiness, status: str) -> None:
    assert answer.status == status


def test_the_public_reason_has_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may ask a probe; the command for the page may name files and tenants."""
    monkeypatch.setattr(commands, "_program", Program(options=("-x", "tenant=a")))
    found = judge(look(), TO_DO, {})
    assert found.command is not None
    assert "tenant" in found.command
    assert "tenant" not in str(found.reason)
    assert "tenant" not in str(model_watch.reason(["column c"]))
    assert "tenant" not in statements._sentence("no column", "42703")
