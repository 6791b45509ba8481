"""Failures that no code of ours raises, and that a person can fix all the same."""

import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from alembic_boot.output.reporting import reporting_failures
from alembic_boot.settings import Settings


@pytest.fixture
def _no_more_threads() -> Iterator[None]:
    """Ask for stacks that no machine has: a thread then fails as at the system's limit."""
    before = threading.stack_size(1 << 46)
    yield
    threading.stack_size(before)


def status_of(load: Callable[[], Settings]) -> object:
    """Return the exit status of a task that loads no settings, so that it configures no log."""
    with pytest.raises(SystemExit) as caught, reporting_failures(load):
        pass
    return caught.value.code


@pytest.mark.usefixtures("_no_more_threads")
def test_no_more_threads(capsys: pytest.CaptureFixture[str]) -> None:
    """Python raises a plain RuntimeError for that."""

    def start() -> NoReturn:
        threading.Thread(target=int).start()
        pytest.fail("it was started")

    assert status_of(start) == 2
    assert capsys.readouterr().err == (
        "The system allows this process no more threads. "
        "Raise the limit: `ulimit -u`, or pids_limit of the container.\n"
    )


def test_another_error_of_that_type(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a defect, and shown with its place."""

    def fail() -> NoReturn:
        raise RuntimeError("no such thing")

    assert status_of(fail) == 1
    assert "Traceback" in capsys.readouterr().err
