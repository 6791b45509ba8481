"""Results of a run: the outcome of each step, and the consequences."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """The result of a step."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """The step did not begin: a step that it needs failed, or the run was stopped before."""
    STOPPED = "stopped"
    """A stop signal ended it."""


@dataclass(frozen=True)
class Outcome:
    """A step that is over."""

    name: str
    result: Result
    seconds: float = 0.0


def may_begin(needs: Collection[str], outcomes: Sequence[Outcome]) -> bool:
    """Return whether a step with these needs can begin after these outcomes."""
    passed = {it.name for it in outcomes if it.result is Result.PASSED}
    return passed.issuperset(needs)


def completed(names: Sequence[str], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return an outcome for each step, in order: a step that was not reached is skipped."""
    known = {it.name: it for it in outcomes}
    return [known.get(name, Outcome(name, Result.SKIPPED)) for name in names]


def is_success(outcomes: Sequence[Outcome]) -> bool:
    """Return whether every step passed."""
    return all(it.result is Result.PASSED for it in outcomes)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a line for each step, after one that names the columns."""
    rows = [(f"ci.{it.name}", it.result.value, f"{it.seconds:.1f}") for it in outcomes]
    width = max(len(name) for name, _, _ in [*rows, ("step", "", "")])
    return "\n".join(
        f"{name:<{width}}  {result:<7}  {seconds:>8}"
        for name, result, seconds in [("step", "result", "seconds"), *rows]
    )
