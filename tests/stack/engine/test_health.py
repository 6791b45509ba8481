"""Whether a container is up, judged by what the engine says of it."""

from typing import Any

import pytest

from backend.stack.compose.model import Condition
from backend.stack.engine.health import State, Verdict, judge, read_state


def state(status: str, health: str | None = None, exit_code: int = 0, restarts: int = 0) -> State:
    return State(status, health, exit_code, restarts, "no answer" if health == "unhealthy" else "")


STARTED, HEALTHY, COMPLETED = Condition.STARTED, Condition.HEALTHY, Condition.COMPLETED


@pytest.mark.parametrize(
    ("found", "condition", "verdict", "how"),
    [
        (state("created"), STARTED, Verdict.OPEN, ""),
        (state("created"), HEALTHY, Verdict.OPEN, ""),
        (state("running"), STARTED, Verdict.MET, ""),
        (state("running"), HEALTHY, Verdict.MET, ""),
        (state("running"), COMPLETED, Verdict.OPEN, ""),
        (state("running", "starting"), STARTED, Verdict.MET, ""),
        (state("running", "starting"), HEALTHY, Verdict.OPEN, ""),
        (state("running", "healthy"), HEALTHY, Verdict.MET, ""),
        (state("running", "unhealthy"), STARTED, Verdict.MET, ""),
        (state("running", "unhealthy"), HEALTHY, Verdict.FAILED, "is unhealthy: no answer"),
        (state("running", "starting", restarts=1), HEALTHY, Verdict.FAILED, "keeps restarting…"),
        (state("running", "healthy", restarts=1), HEALTHY, Verdict.FAILED, "keeps restarting…"),
        (state("restarting", exit_code=5), HEALTHY, Verdict.FAILED, "…it exited with status 5"),
        (state("paused", "healthy"), HEALTHY, Verdict.FAILED, "is paused"),
        (state("removing"), STARTED, Verdict.FAILED, "is removing"),
        (state("exited", exit_code=5), HEALTHY, Verdict.FAILED, "exited with status 5"),
        (state("exited"), HEALTHY, Verdict.FAILED, "exited with status 0"),
        (state("exited"), COMPLETED, Verdict.MET, ""),
        (state("exited", exit_code=1), COMPLETED, Verdict.FAILED, "exited with status 1"),
        (state("dead", exit_code=137), COMPLETED, Verdict.FAILED, "exited with status 137"),
    ],
)
def test_judge(found: State, condition: Condition, verdict: Verdict, how: str) -> None:
    judged, words = judge(found, condition, restarts_before=0)
    assert judged is verdict
    assert words.startswith(how.split("…", maxsplit=1)[0])
    assert words.endswith(how.rsplit("…", maxsplit=1)[-1])


def test_restarts_of_old_do_not_count() -> None:
    """A container that was restarted once, long ago, and is well is well."""
    assert judge(state("running", "healthy", restarts=3), HEALTHY, 3) == (Verdict.MET, "")


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (None, None),
        ({"Status": "none"}, None),
        ({"Status": "starting", "Log": []}, "starting"),
        ({"Status": "healthy", "Log": [{"Output": ""}]}, "healthy"),
    ],
)
def test_read_state(health: dict[str, Any] | None, expected: str | None) -> None:
    parts = {"Status": "running", "ExitCode": 0, **({"Health": health} if health else {})}
    assert read_state({"State": parts, "RestartCount": 2}) == State("running", expected, 0, 2, "")


def test_last_line_of_the_probe() -> None:
    log = [{"Output": "old"}, {"Output": "first\n  connection refused \n"}]
    health = {"Status": "unhealthy", "Log": log}
    found = read_state({"State": {"Status": "running", "ExitCode": 0, "Health": health}})
    assert found.probe == "connection refused"
