"""How a run went: what became of each step, and what follows from that."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """What became of a step."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """It was not begun: what it needs failed, or the run was stopped before."""
    STOPPED = "stopped"
    """A stop signal ended it."""


@dataclass(frozen=True)
class Outcome:
    """A step that is over."""

    name: str
    result: Result
    seconds: float = 0.0


def may_begin(needs: Collection[str], outcomes: Sequence[Outcome]) -> bool:
    """Whether a step with these needs can be begun, after what has been."""
    passed = {it.name for it in outcomes if it.result is Result.PASSED}
    return passed.issuperset(needs)


def completed(names: Sequence[str], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return an outcome for each of the steps, in their order: those not reached are skipped."""
    known = {it.name: it for it in outcomes}
    return [known.get(name, Outcome(name, Result.SKIPPED)) for name in names]


def is_success(outcomes: Sequence[Outcome]) -> bool:
    """Whether every step passed."""
    return all(it.result is Result.PASSED for it in outcomes)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a line for each step, after one that names the columns."""
    rows = [(f"ci.{it.name}", it.result.value, f"{it.seconds:.1f}") for it in outcomes]
    width = max(len(name) for name, _, _ in [*rows, ("step", "", "")])
    return "\n".join(
        f"{name:<{width}}  {result:<7}  {seconds:>8}"
        for name, result, seconds in [("step", "result", "seconds"), *rows]
    )
