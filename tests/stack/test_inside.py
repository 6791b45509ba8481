"""The command line of a task that is to run in a container."""

import pytest

from backend.stack.inside import inv_command


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, []),
        ({"target": None, "yes": False, "x": None}, []),
        ({"target": "005", "dry_run": True}, ["--target=005", "--dry-run"]),
        ({"n": "second", "x": ["a=1", "b=two words"]}, ["-n=second", "-x=a=1", "-x=b=two words"]),
        ({"x": []}, []),
    ],
)
def test_flags(flags: dict[str, str | bool | list[str] | None], expected: list[str]) -> None:
    """Each that is set is passed on, and one that was given several times is repeated."""
    assert inv_command("migrate", flags) == ["inv", "migrate", *expected]
