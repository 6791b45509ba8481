"""The two passes of the tests: side by side on all processors, then those that run alone.

A test that measures how the application behaves under load needs the machine for itself: beside
other tests it would measure them as well.
"""

from collections.abc import Sequence

OPTION = "--pass"
"""The option of tests/conftest.py that chooses the tests of a pass."""

TOGETHER, ALONE = "together", "alone"

_PASSED = 0
_FAILED = 1
_FOUND_NONE = 5
"""Exit statuses of pytest."""


def workers(processors: int) -> int:
    """Return how many processes run tests side by side.

    Tests wait half of their time: for servers, containers and processes. Each process has servers
    of its own, which cost memory.
    """
    return min(2 * processors + 1, 8)


def arguments(processors: int, args: str = "", *, quick: bool = False) -> list[str]:
    """Return pytest's arguments for each pass; `args` are more of them for both.

    With `quick` there is one pass: tests that run alone take more than a second.
    """
    together = f"{OPTION}={TOGETHER} -n {workers(processors)} --dist worksteal"
    if quick:
        return [f"{together} -m 'not slow' {args}".rstrip()]
    return [f"{together} {args}".rstrip(), f"{OPTION}={ALONE} {args}".rstrip() + " -n 0"]


def goes_on(status: int) -> bool:
    """Return whether there is a next pass: not after a Ctrl-C, nor if pytest itself failed."""
    return status in {_PASSED, _FAILED, _FOUND_NONE}


def verdict(statuses: Sequence[int]) -> int:
    """Return the exit status of all passes: the worst one.

    A pass that has nothing to run is no failure, unless it is so for all passes.
    """
    ran = [it for it in statuses if it != _FOUND_NONE]
    return max(ran, key=abs) if ran else _FOUND_NONE
