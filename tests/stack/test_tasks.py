"""`down`, `restart`, `ps`, `logs` and tasks inside a container, on a real engine."""

import os
import pty
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.stack.engine import connection
from backend.stack.inside import run_inside
from backend.stack.logs import followed
from tests.engine import collect_sockets
from tests.scenarios.process import DEADLINE, INV
from tests.stack.stack import Stack
from tests.waiting import SOON

pytestmark = pytest.mark.slow

MakeStack = Callable[[str], Stack]

# What stands for `inv` in the container: it says how it was called, and does as the task says.
FAKE_INV = r"""
echo "called with $*"
echo "A complaint, told apart." >&2
case "$1" in
  rollback)
    [ "$2" = --yes ] && exit 0
    printf 'Sure? [y/N] '
    read -r answer || exit 2
    echo "the answer is $answer"
    exit 3;;
  seed)
    trap 'echo "stopped by TERM"; exit 143' TERM
    trap 'echo "stopped by INT"; exit 130' INT
    while :; do sleep 0.1; done;;
esac
exit 7
"""

TWO = """
services:
  db:
    image: IMAGE
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    volumes: ["data:/data"]
    stop_grace_period: 2s
  web:
    image: IMAGE
    command:
      - sh
      - -c
      - |
        trap 'echo bye; exit 0' TERM
        echo hello
        echo a complaint >&2
        touch /tmp/ok
        while :; do sleep 0.1; done
    depends_on: [db]
    volumes: ["data:/data", "./inv:/bin/inv:ro"]
    healthcheck: {test: "[ -e /tmp/ok ]", interval: 300ms}
    stop_grace_period: 2s
volumes:
  data:
"""


@pytest.fixture
def two(stack: MakeStack) -> Stack:
    """Give a stack of two services that runs."""
    made = stack(TWO)
    made.write("#!/bin/sh" + FAKE_INV, "inv")
    (made.folder / "inv").chmod(0o755)
    made.inv("up").assert_ok()
    return made


def test_down_keeps_the_volume(two: Stack) -> None:
    """Containers and network go, dependents first; the data stays until it is asked for."""
    two.containers()["db-1"].exec_run(["sh", "-c", "echo kept > /data/file"])
    finished = two.inv("down")
    finished.assert_ok()
    assert finished.messages == [
        "web-1 removed",
        "db-1 removed",
        f"Network {two.name}_default removed",
        f"Kept for the next `up`: {two.name}_data (--volumes removes that, too)",
    ]
    assert (two.ids(), two.networks(), two.volumes()) == ({}, [], [f"{two.name}_data"])

    two.inv("up").assert_ok()
    assert two.containers()["db-1"].exec_run(["cat", "/data/file"]).output == b"kept\n"
    finished = two.inv("down", "--volumes")
    finished.assert_ok()
    finished.assert_says(f"Volume {two.name}_data removed, and the data in it")
    assert two.volumes() == []

    finished = two.inv("down", "--volumes")
    finished.assert_ok()
    assert finished.messages == [f"The stack {two.name} has no containers, networks or volumes"]


def test_down_needs_no_readable_file(two: Stack) -> None:
    """What runs is found by its labels: a file that is broken since keeps nobody from stopping."""
    two.write("services: {a: {image: '${NOBODY:?say who}', privileged: true}}")
    two.inv("ps").assert_ok()
    two.inv("down").assert_ok()
    assert two.ids() == {}


def test_restart(two: Stack) -> None:
    """The same containers start again, those that others need first."""
    before = two.ids()
    finished = two.inv("restart")
    finished.assert_ok()
    finished.assert_says("db-1 is running (…)", "web-1 is running, healthy (…)")
    assert two.ids() == before
    assert two.containers()["web-1"].logs(stderr=False) == b"hello\nbye\nhello\n"
    started = two.containers()["db-1"].attrs["State"]["StartedAt"]
    two.inv("restart", "--service", "web").assert_ok()
    assert two.containers()["db-1"].attrs["State"]["StartedAt"] == started
    two.inv("restart", "--service", "nobody").assert_failed(
        12, "There is no container of nobody. The existing containers are those of db, web."
    )


def test_ps(two: Stack) -> None:
    """A line a container, with its state."""
    finished = two.inv("ps")
    finished.assert_ok()
    assert [line.split("   ")[0].strip() for line in finished.stdout] == [
        "NAME",
        f"{two.name}-db-1",
        f"{two.name}-web-1",
    ]
    assert "running, healthy" in finished.stdout[2]
    two.containers()["web-1"].stop(timeout=2)
    assert "exited with 0" in two.inv("ps").stdout[2]


def test_logs(two: Stack) -> None:
    """What all have written, each line with who; one service alone, and its end alone."""
    lines = two.inv("logs").stdout
    assert sorted(lines) == ["web-1 | a complaint", "web-1 | hello"]
    assert two.inv("logs", "--service", "db").stdout == ()
    assert len(two.inv("logs", "--tail", "1").stdout) == 1
    two.inv("logs", "--tail", "x").assert_failed(
        2, "--tail x is not a number of lines. Use --tail 100, for example."
    )


def test_logs_follow(two: Stack) -> None:
    """New lines come as they are written; Ctrl-C ends it, and is no failure."""
    with two.running_inv("logs", "--follow") as inv:
        inv.wait_for("web-1 | hello")
        two.inv("restart", "--service", "db").assert_ok()
        inv.interrupt()
        inv.finish().assert_ok()
    with two.running_inv("logs", "--follow", "--service", "web") as inv:
        inv.wait_for("web-1 | hello")
        two.containers()["web-1"].stop(timeout=2)
        finished = inv.finish()
    finished.assert_ok()
    assert finished.stdout[-1] == "web-1 | bye"


def test_task_inside(two: Stack) -> None:
    """Flags go in; both streams, kept apart, and the exit status come out."""
    finished = two.inv("migrate", "--in", "web", "--target", "007", "--dry-run")
    finished.assert_failed(7, "A complaint, told apart.")
    assert finished.stdout == ("called with migrate --target=007 --dry-run",)


def test_task_inside_knows_how_it_was_called(two: Stack) -> None:
    """The commands that it advises are typed outside."""
    two.write('#!/bin/sh\necho "$INV_OUTSIDE"', "inv")
    assert two.inv("status", "--in", "web").stdout == ("inv {} --in web",)


def test_question_inside(two: Stack) -> None:
    """Without a terminal nobody can be asked; `--yes` needs nobody."""
    two.inv("rollback", "--in", "web").assert_failed(2, "A complaint, told apart.")
    assert two.inv("rollback", "--in", "web", "--yes").status == 0


def on_terminal(
    folder: Path, keys: list[tuple[bytes, bytes]], *arguments: str
) -> tuple[int, bytes]:
    """Run `inv` on a terminal; each answer is typed when its question has come."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(INV, [str(INV), *arguments], {"PATH": os.environ["PATH"], "HOME": str(folder)})
    output, waiting = b"", list(keys)
    try:
        while chunk := _read(terminal, output):
            output += chunk
            while waiting and waiting[0][0] in output:
                os.write(terminal, waiting.pop(0)[1])
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(terminal)  # which ends whoever is still there
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, output


def _read(terminal: int, so_far: bytes) -> bytes:
    ready, _, _ = select.select([terminal], [], [], DEADLINE)
    assert ready, ("it waits for a key", so_far)
    return os.read(terminal, 4096)


def test_question_on_a_terminal(two: Stack) -> None:
    """Whoever sits at a terminal is asked through the container's."""
    keys = [(b"Sure? [y/N] ", b"y\r")]
    status, output = on_terminal(two.folder, keys, "rollback", "--in", "web")
    assert status == 3
    assert b"the answer is y" in output


def test_shell(two: Stack) -> None:
    """A shell runs on the terminal: Ctrl-C ends what runs in it, not the shell."""
    # A child of the shell says that it has begun: a key before that would end nothing.
    keys = [
        (b"#", b"sh -c 'echo begin $((1+1)); sleep 20; echo end $((1+1))'\r"),
        (b"begin 2", b"\x03"),
        (b"^C", b"exit 9\r"),
    ]
    status, output = on_terminal(two.folder, keys, "shell", "--service", "web")
    assert (status, b"begin 2" in output, b"end 2" in output) == (9, True, False), output
    two.inv("shell").assert_failed(
        2, "A shell needs a terminal. Run `inv shell` in one; `docker exec` needs none."
    )


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
def test_stop_signal_is_passed_on(two: Stack, number: signal.Signals, status: int) -> None:
    """What runs inside is stopped as if it ran here; it does not go on when nobody listens."""
    process = subprocess.Popen(
        [INV, "seed", "--in", "web"], cwd=two.folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "called with seed\n"
    process.send_signal(number)
    rest, _ = process.communicate(timeout=SOON)
    assert (process.returncode, rest) == (status, f"stopped by {number.name[3:]}\n")


def test_nowhere_to_run(two: Stack) -> None:
    """A service that does not run is named."""
    two.containers()["web-1"].stop(timeout=2)
    two.inv("status", "--in", "web").assert_failed(
        12, "No container of web runs. Start the stack first: `make up`."
    )


def test_silence_ends_nothing(
    two: Stack, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Logs are followed, and a task is waited for, longer than a request may take."""
    monkeypatch.setattr(connection, "_TIMEOUT", 1)
    two.write("#!/bin/sh\nsleep 2.5; echo late; exit 5", "inv")
    web = two.containers()["web-1"]
    web.exec_run(["sh", "-c", "echo old > /proc/1/fd/1"])
    with connection.streaming() as client:
        lines = followed(client, two.place, "web", 1)
        assert next(lines) == "web-1 | old"
        assert run_inside(client, two.place, "web", ["inv"]) == 5
        web.exec_run(["sh", "-c", "sleep 2.5; echo news > /proc/1/fd/1"])
        assert next(lines) == "web-1 | news"
    del lines
    collect_sockets()
    assert capfd.readouterr() == ("late\n", "")
