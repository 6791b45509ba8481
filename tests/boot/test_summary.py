"""A start says in a few words what it did."""

import json
import socket
import time

import pytest

from alembic_boot.serving.started import report_started, summary
from alembic_boot.state.inspection import SchemaState
from alembic_boot.state.plan import Action, Plan

NOTHING = Plan(Action.NOTHING)


@pytest.mark.parametrize(
    ("plan", "state", "rows", "expected"),
    [
        (Plan(Action.UPGRADE, ("a", "b")), "current", 66, "applied 2 revisions, seeded 66 rows"),
        (Plan(Action.UPGRADE, ("a",)), "current", 1, "applied 1 revision, seeded 1 row"),
        (Plan(Action.UPGRADE, ("a",)), "current", None, "applied 1 revision"),
        (Plan(Action.DOWNGRADE, ("b", "a")), "current", None, "reverted 2 revisions"),
        (NOTHING, "current", 0, "schema was current"),
        (NOTHING, "current", 66, "schema was current, seeded 66 rows"),
        (NOTHING, "ahead", None, "schema was ahead"),
    ],
)
def test_summary(plan: Plan, state: str, rows: int | None, expected: str) -> None:
    assert summary(plan, SchemaState(state), rows) == expected


@pytest.mark.parametrize(
    ("did", "expected"),
    [
        (None, []),
        ("schema was current", ["Started in 2.0 s: schema was current"]),
        ("migrations failed", ["Started in 2.0 s: migrations failed"]),
    ],
)
def test_the_line(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    did: str | None,
    expected: list[str],
) -> None:
    """Without a boot, as for `inv serve`, only the address is reported."""
    facts = {} if did is None else {"began_at": 10.0, "did": did}
    monkeypatch.setenv("BOOT_FACTS", json.dumps(facts))
    monkeypatch.setattr(time, "monotonic", lambda: 12.0)
    with caplog.at_level("INFO"), socket.create_server(("127.0.0.1", 0)) as listener:
        report_started(listener)
        serving = f"Serving on http://127.0.0.1:{listener.getsockname()[1]} (Ctrl-C stops it)"
    assert [record.message for record in caplog.records] == [*expected, serving]
