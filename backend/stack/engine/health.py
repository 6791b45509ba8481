"""Decide from the engine's state of a container whether it is up, without side effects."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from backend.stack.compose.model import Condition


class Verdict(Enum):
    """The result of checking a condition."""

    MET = "met"
    OPEN = "open"
    FAILED = "failed"


@dataclass(frozen=True)
class State:
    """The engine's state of a container at one moment."""

    status: str
    """created, running, paused, restarting, removing, exited or dead."""
    health: str | None
    """starting, healthy or unhealthy; None without a healthcheck."""
    exit_code: int
    restarts: int
    probe: str
    """The last output of the healthcheck."""

    def __str__(self) -> str:
        if self.status == "exited":
            return f"exited with {self.exit_code}"
        if self.status == "running" and self.health:
            return "starting" if self.health == "starting" else f"running, {self.health}"
        return self.status


def read_state(attributes: dict[str, Any]) -> State:
    """Return the state from the engine's inspection."""
    state = attributes["State"]
    health = state.get("Health") or {}
    status = health.get("Status", "none")
    probes = health.get("Log") or []
    words = str(probes[-1].get("Output", "")).strip().splitlines() if probes else []
    return State(
        status=state["Status"],
        health=None if status in ("none", "") else status,
        exit_code=state["ExitCode"],
        restarts=attributes.get("RestartCount", 0),
        probe=words[-1].strip() if words else "",
    )


def judge(state: State, condition: Condition, restarts_before: int) -> tuple[Verdict, str]:
    """Return whether the condition is met, open or failed, with the reason for a failure.

    For a container without a healthcheck, HEALTHY means that it runs. A container that has
    restarted since the watch began has failed: each time it may be up only for a moment.
    """
    if condition is Condition.COMPLETED and state.status == "exited" and state.exit_code == 0:
        return Verdict.MET, ""
    if state.status in ("exited", "dead"):
        return Verdict.FAILED, f"exited with status {state.exit_code}"
    if state.status == "restarting" or state.restarts > restarts_before:
        return Verdict.FAILED, f"keeps restarting; it exited with status {state.exit_code}"
    if state.status in ("paused", "removing"):
        return Verdict.FAILED, f"is {state.status}"
    if state.health == "unhealthy" and condition is Condition.HEALTHY:
        words = f": {state.probe}" if state.probe else ""
        return Verdict.FAILED, f"is unhealthy{words}"
    if state.status != "running" or condition is Condition.COMPLETED:
        return Verdict.OPEN, ""
    if condition is Condition.HEALTHY and state.health == "starting":
        return Verdict.OPEN, ""
    return Verdict.MET, ""
