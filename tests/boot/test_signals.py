"""Stop signals end every stage in order, also while the driver runs a long statement."""

import gc
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import psycopg2
import pytest
from psycopg2 import errors

from alembic_boot.signals import STOP_SIGNALS, Stopped, interrupting, stopping_on_signals
from tests.cluster import Cluster
from tests.waiting import SOON, soon, wait_until

ROOT = Path(__file__).parents[2]

STATUSES = pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)],
)

# Whoever runs the tests in the background has SIGINT ignored, under nohup SIGHUP.
# A signal that comes at the last moment before a long sleep is handled only after it: Python does
# not look for signals once more before it sleeps. So the scripts sleep for short times.
PREAMBLE = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from alembic_boot.signals import interrupting, stopping_on_signals
def sleep():
    while True:
        time.sleep(0.05)
"""


def start(script: str, *arguments: str) -> "subprocess.Popen[str]":
    """Run a script that says `ready` when it is, and wait for that."""
    process = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + dedent(script), *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def stop(process: "subprocess.Popen[str]", *numbers: signal.Signals) -> tuple[int, str, str]:
    for number in numbers:
        process.send_signal(number)
    stdout, stderr = process.communicate(timeout=SOON)
    return process.returncode, stdout, stderr


@STATUSES
def test_a_stop_closes_what_was_opened(number: signal.Signals, status: int) -> None:
    """A signal ends the process with the shell's status, after everything was closed in order."""
    process = start("""
        with stopping_on_signals():
            try:
                try:
                    print("ready", flush=True)
                    sleep()
                finally:
                    print("inner")
            finally:
                print("outer")
        """)
    assert (status, "inner\nouter\n", "") == stop(process, number)


def test_a_second_signal_does_not_disturb_the_closing() -> None:
    """An impatient second and third signal change nothing."""
    process = start("""
        with stopping_on_signals():
            try:
                print("ready", flush=True)
                sleep()
            finally:
                print("closing", flush=True)
                sys.stdin.read()
                print("closed")
        """)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "closing\n"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)
    stdout, stderr = process.communicate(timeout=SOON)  # closes its stdin
    assert (process.returncode, stdout, stderr) == (130, "closed\n", "")


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    """What `nohup` keeps alive is not stopped by a hangup."""
    process = start("""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with stopping_on_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            print("ready", flush=True)
            sleep()
        """)
    assert stop(process, signal.SIGHUP, signal.SIGTERM) == (143, "", "")


def test_a_process_that_is_left_alone_dies_as_always() -> None:
    """After the block the signals have their old effect."""
    process = start("""
        with stopping_on_signals():
            pass
        print("ready", flush=True)
        sleep()
        """)
    assert stop(process, signal.SIGTERM) == (-signal.SIGTERM, "", "")


@STATUSES
def test_stopped(number: signal.Signals, status: int) -> None:
    """The exception has the signal's name and the status, and no `except Exception` takes it."""
    found = Stopped(number)
    assert (number.name, status, False) == (found.name, found.code, isinstance(found, Exception))


@pytest.fixture
def _stopping() -> Iterator[None]:
    with stopping_on_signals():
        yield


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in STOP_SIGNALS]


def test_handlers_are_restored() -> None:
    """Handlers come back at the end of the block, however it ends."""
    before = handlers()
    with stopping_on_signals():
        assert before != handlers()
    assert before == handlers()
    with pytest.raises(KeyError), stopping_on_signals():
        raise KeyError
    assert before == handlers()
    with pytest.raises(Stopped, match="143"), stopping_on_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        # In short sleeps: another thread may get the signal, which ends no sleep of this one.
        wait_until(lambda: False)
    assert before == handlers()


def threads() -> int:
    return sum(thread.name == "stop-watcher" for thread in threading.enumerate())


def pipes() -> int:
    """Return how many ends of pipes are open; of anything else other threads may close some."""
    gc.collect()
    found = 0
    for descriptor in Path("/dev/fd").iterdir():
        with suppress(OSError):  # the listing's own is closed again
            found += stat.S_ISFIFO(os.fstat(int(descriptor.name)).st_mode)
    return found


def test_what_interrupting_sets_up_is_taken_back() -> None:
    """Without a signal nothing happens: no call, no thread and no descriptor left."""
    calls: list[None] = []
    before = pipes()
    with stopping_on_signals(), interrupting(lambda: calls.append(None)):
        assert threads() == 1
    with (
        pytest.raises(KeyError),
        stopping_on_signals(),
        interrupting(lambda: calls.append(None)),
    ):
        raise KeyError
    assert (0, [], before) == (threads(), calls, pipes())
    assert signal.set_wakeup_fd(-1) == -1


def test_handlers_of_an_application() -> None:
    """Its wakeup descriptor stays, by which an event loop hears of signals."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer)
    try:
        with interrupting(lambda: None):
            assert (signal.set_wakeup_fd(writer), threads()) == (writer, 0)
    finally:
        signal.set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)


def test_a_process_without_handlers() -> None:
    """As of `alembic upgrade` typed by hand: a Ctrl-C ends a statement that runs."""
    script = dedent("""
        import os, signal, threading
        from alembic_boot.signals import interrupting
        ended = threading.Event()
        with interrupting(ended.set):
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                print(ended.wait(60))
    """)
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout == "True\n"


@pytest.mark.usefixtures("_stopping")
def test_blocks_that_end_in_another_order() -> None:
    """A block that began inside of another one may end after it, and is interrupted until then."""
    interrupted = threading.Event()
    first, second = interrupting(lambda: None), interrupting(interrupted.set)
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupted.wait(SOON)
    finally:
        second.__exit__(None, None, None)
        signal.signal(signal.SIGTERM, previous)
    assert threads() == 0


def test_interrupting_goes_on_until_the_block_ends() -> None:
    """Once may be too early: the action is repeated until the block is left."""
    calls: list[None] = []
    again = threading.Event()

    def act() -> None:
        calls.append(None)
        if len(calls) == 2:
            again.set()

    with pytest.raises(Stopped), stopping_on_signals(), interrupting(act):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            again.wait(SOON)  # the handler raises here at the latest
        finally:
            assert again.wait(SOON)
    count = len(calls)
    assert count >= 2


@pytest.mark.usefixtures("_stopping")
def test_interrupting_takes_no_notice_of_other_signals() -> None:
    """A signal that is no stop, as of a child that ended, calls nothing."""
    calls: list[None] = []
    previous = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with interrupting(lambda: calls.append(None)):
            os.kill(os.getpid(), signal.SIGUSR1)
            threading.Event().wait(0.05)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert calls == []


@STATUSES
def test_a_long_statement_is_cancelled(
    cluster: Cluster, database: str, database_url: str, number: signal.Signals, status: int
) -> None:
    """A stop cancels the statement that the driver's C code waits for, and its session ends."""
    script = """
        import psycopg2
        connection = psycopg2.connect(sys.argv[1])
        cursor = connection.cursor()
        with stopping_on_signals():
            try:
                with interrupting(connection.cancel):
                    print("ready", flush=True)
                    cursor.execute("SELECT pg_sleep(60)")
            finally:
                print("closed")
                connection.close()
        """
    process = start(script, database_url)
    wait_until(lambda: sleeping(cluster, database) == 1)
    found, stdout, _ = stop(process, number)
    assert (status, "closed\n", 0) == (found, stdout, sleeping(cluster, database))


@pytest.mark.usefixtures("_stopping")
def test_a_statement_that_begins_after_the_signal(database_url: str) -> None:
    """A statement that began just after the first cancel is cancelled by the next."""
    connection = psycopg2.connect(database_url)
    try:
        # Python's own handler would run before the statement: one that does nothing stands for it.
        previous = signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            with (
                soon(),
                pytest.raises(errors.QueryCanceled) as caught,
                interrupting(connection.cancel),
            ):
                os.kill(os.getpid(), signal.SIGTERM)
                threading.Event().wait(0.2)
                connection.cursor().execute("SELECT pg_sleep(60)")
        finally:
            signal.signal(signal.SIGTERM, previous)
        assert str(caught.value) == "canceling statement due to user request\n"
    finally:
        connection.close()


def sleeping(cluster: Cluster, database: str) -> int:
    return len(
        cluster.query(
            "SELECT FROM pg_stat_activity WHERE state = 'active'"
            f" AND query LIKE '%pg_sleep(60)%' AND datname = '{database}'"
        )
    )
