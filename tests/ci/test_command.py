"""Programs that the pipeline runs: what they say, how they end, and what is left of them."""

import signal
import sys
import threading
from pathlib import Path

import pytest

from alembic_boot.errors import ConfigurationError
from alembic_boot.signals import Stopped, stopping_on_signals
from backend.ci.command import run_command
from backend.ci.run import start_of
from tests.waiting import wait_until

PYTHON = sys.executable

# Starts another process in the same group, and says who it is.
PARENT = """
import subprocess, sys, signal
child = subprocess.Popen(["sleep", "1000"])
print("child", child.pid)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "step.log"
    path.write_text("before\n")
    return path


def child_of(log: Path) -> int:
    """Return the process that the program has started, as it says."""
    [said] = [line for line in log.read_text().splitlines() if line.startswith("child")]
    return int(said.split()[1])


def assert_ends(pid: int) -> None:
    """Fail unless a process that was sent a signal is gone, or is about to be."""
    wait_until(lambda: start_of(pid) is None)


def test_output(log: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Both streams go to stdout and are added to the log, whatever bytes they are."""
    code = "import os; os.write(1, b'one\\n'); os.write(2, b'\\xff\\n')"
    assert run_command([PYTHON, "-c", code], log) is True
    assert capfdbinary.readouterr().out == b"one\n\xff\n"
    assert log.read_bytes() == b"before\none\n\xff\n"


def test_failure(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run_command([PYTHON, "-c", "raise SystemExit(3)"], log) is False
    assert caplog.messages[-1].endswith("ended with 3")


def test_missing_program(log: Path) -> None:
    with pytest.raises(ConfigurationError, match="no-such-program cannot be run: No such file"):
        run_command(["no-such-program"], log)


def test_nothing_is_left(log: Path) -> None:
    """What a program leaves running ends with it, and keeps nobody waiting."""
    assert run_command([PYTHON, "-c", PARENT], log)
    assert_ends(child_of(log))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_stop(log: Path, signum: signal.Signals) -> None:
    """A stop signal becomes a Ctrl-C for the program, and ends all of its processes."""
    code = f"{PARENT}\ntry: signal.pause()\nexcept KeyboardInterrupt: print('tidied up')"
    main = threading.get_ident()

    def stop_when_it_runs() -> None:
        while "child" not in log.read_text():
            event.wait(0.05)
        signal.pthread_kill(main, signum)

    event = threading.Event()
    stopper = threading.Thread(target=stop_when_it_runs)
    with pytest.raises(Stopped) as stopped, stopping_on_signals():
        stopper.start()
        run_command([PYTHON, "-c", code], log)
    stopper.join()
    assert stopped.value.code == 128 + signum
    assert log.read_text().split()[3:5] == ["tidied", "up"]
    assert_ends(child_of(log))


def test_make_is_told_nothing(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make test` inside `make ci -j4` does as when it is typed."""
    monkeypatch.setenv("MAKEFLAGS", "n")
    code = "import os; print(os.environ.get('MAKEFLAGS'))"
    assert run_command([PYTHON, "-c", code], log)
    assert log.read_text() == "before\nNone\n"
