"""Run a command inside a running container; pass on its output and its exit status."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from threading import Thread
from time import sleep
from types import MappingProxyType

from docker import DockerClient

from alembic_boot.commands import OUTSIDE, as_typed
from alembic_boot.errors import ConfigurationError
from alembic_boot.signals import Stopped
from backend.stack.compose.project import Place
from backend.stack.engine.containers import Member, running_member
from backend.stack.terminal import is_terminal, join_terminal

# Print the process id before the command starts: it is needed to stop the command.
_ANNOUNCE = 'echo "$$"; exec "$@"'


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
    outside = {OUTSIDE: f"{as_typed('inv')} {{}} --in {service}"}
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
            f"Run `{as_typed('inv shell')}` in one; `docker exec` needs none.",
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
    output = _Output(client.api.exec_start(begun, stream=True, demux=True))
    # In a thread of its own, so that a stop signal doesn't end the reading.
    reader = Thread(target=output.pass_on, daemon=True)
    reader.start()
    try:
        reader.join()
    except Stopped as stop:
        # The command inside does not end when its output has no reader any more.
        member.container.exec_run(["sh", "-c", f"kill -s {stop.name[3:]} {output.process}"])
        reader.join()
    return _exit_status(client, begun)


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

    def pass_on(self) -> None:
        for out, err in self.chunks:
            self.write(out, err)

    def write(self, out: bytes | None, err: bytes | None) -> None:
        if out and not self.has_begun:
            first, newline, out = out.partition(b"\n")
            self.process += first.decode()
            self.has_begun = bool(newline)
        for stream, chunk in ((sys.stdout, out), (sys.stderr, err)):
            if chunk:
                stream.buffer.write(chunk)
                stream.buffer.flush()
