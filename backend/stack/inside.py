"""Run a command inside a running container; pass on its output and its exit status."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from struct import Struct
from threading import Event, Thread
from time import sleep
from types import MappingProxyType
from typing import Any

from docker import DockerClient

from alembic_boot.commands import OUTSIDE, as_typed
from alembic_boot.errors import ConfigurationError
from alembic_boot.signals import Stopped
from backend.stack.compose.project import Place
from backend.stack.engine.containers import Member, running_member
from backend.stack.terminal import is_terminal, join_terminal

# Print the process id before the command starts: it is needed to stop the command.
_ANNOUNCE = 'echo "$$"; exec "$@"'

_HEAD = Struct(">BxxxL")
"""Stands before each part of the output: its stream, and its length in bytes."""

_STDERR = 2


def inv_command(task: str, flags: Mapping[str, str | bool | list[str] | None]) -> list[str]:
    """Return the command line of a task with the flags that are set; a list repeats its flag."""
    command = ["inv", task]
    for name, value in flags.items():
        flag = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
        if value is True:
            command.append(flag)
        elif value:
            values = value if isinstance(value, list) else [value]
            command += [f"{flag}={it}" for it in values]
    return command


def run_inside(client: DockerClient, place: Place, service: str, command: Sequence[str]) -> int:
    """Run a task in a service's first running container, and return its exit status.

    The task gets the outer command line, for the commands that it advises. If there is a terminal,
    the task gets one, and may ask questions. Otherwise it has no input, its stdout and stderr are
    kept apart, and a stop signal is passed on to it. `client` must have no read timeout. Raises
    EngineError.
    """
    member = running_member(client, place, service)
    outside = {OUTSIDE: f"{as_typed('')} {{}} --in {service}"}
    if is_terminal():
        return _run_on_terminal(client, member, command, outside)
    return _run_quietly(client, member, command, outside)


def open_shell(client: DockerClient, place: Place, service: str) -> int:
    """Open a shell in a service's first running container, and return its exit status.

    Raises ConfigurationError without a terminal, and EngineError.
    """
    if not is_terminal():
        raise ConfigurationError(
            "A shell needs a terminal.",
            f"Run `{as_typed('shell')}` in one; `docker exec` needs none.",
        )
    member = running_member(client, place, service)
    return _run_on_terminal(client, member, ["sh", "-c", "exec $(command -v bash || echo sh)"])


def _run_on_terminal(
    client: DockerClient,
    member: Member,
    command: Sequence[str],
    environment: Mapping[str, str] = MappingProxyType({}),
) -> int:
    begun = client.api.exec_create(
        member.container.id, list(command), stdin=True, tty=True, environment=dict(environment)
    )["Id"]
    connection = client.api.exec_start(begun, tty=True, socket=True)
    join_terminal(connection, lambda rows, columns: client.api.exec_resize(begun, rows, columns))
    return _exit_status(client, begun)


def _run_quietly(
    client: DockerClient, member: Member, command: Sequence[str], environment: Mapping[str, str]
) -> int:
    announced = ["sh", "-c", _ANNOUNCE, "sh", *command]
    container = member.container.id
    begun = client.api.exec_create(container, announced, environment=dict(environment))["Id"]
    output = _Output(_frames(client, begun))
    # In a thread of its own, so that a stop signal doesn't end the reading. Its end is an event:
    # after an interrupted join, Python 3.11 takes a thread for ended (python/cpython#90882).
    Thread(target=output.pass_on, daemon=True).start()
    try:
        output.has_ended.wait()
    except Stopped as stop:
        # The command inside does not end when its output has no reader any more.
        member.container.exec_run(["sh", "-c", f"kill -s {stop.name[3:]} {output.process}"])
        output.has_ended.wait()
    return _exit_status(client, begun)


def _frames(client: DockerClient, begun: str) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Start a command, and yield its output: parts of its stdout and of its stderr.

    docker's own reader takes the socket below the buffer of the answer. It loses what the engine
    has sent in one packet with the answer's head, as a busy machine or a proxy may have it.
    """
    api: Any = client.api
    answer = api._post_json(
        api._url("/exec/{0}/start", begun),
        data={"Tty": False, "Detach": False},
        headers={"Connection": "Upgrade", "Upgrade": "tcp"},
        stream=True,
    )
    api._raise_for_status(answer)
    buffered = answer.raw._fp.fp
    with suppress(OSError):  # the engine is gone: its next answer is missed, and that is said
        while len(head := buffered.read(_HEAD.size)) == _HEAD.size:
            stream, size = _HEAD.unpack(head)
            part = buffered.read(size)
            yield (None, part) if stream == _STDERR else (part, None)


def _exit_status(client: DockerClient, begun: str) -> int:
    """Return the status of a command whose output has ended."""
    # The engine may notice the end late, and has no event for it.
    while (found := client.api.exec_inspect(begun))["Running"]:
        sleep(0.02)
    return int(found["ExitCode"])


class _Output:
    """Passes on the output of a command, except the first line, which is its process id."""

    def __init__(self, chunks: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        self.chunks = chunks
        self.process = ""
        self.has_begun = False
        self.has_ended = Event()

    def pass_on(self) -> None:
        try:
            for out, err in self.chunks:
                self.write(out, err)
        finally:
            self.has_ended.set()

    def write(self, out: bytes | None, err: bytes | None) -> None:
        if out and not self.has_begun:
            first, newline, out = out.partition(b"\n")
            self.process += first.decode()
            self.has_begun = bool(newline)
        for stream, chunk in ((sys.stdout, out), (sys.stderr, err)):
            if chunk:
                stream.buffer.write(chunk)
                stream.buffer.flush()
