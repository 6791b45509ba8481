"""`logs`: print the output of a stack's containers, and follow it."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from heapq import merge
from queue import SimpleQueue
from threading import Thread
from typing import Literal

from docker import DockerClient

from alembic_boot.errors import ConfigurationError
from alembic_boot.signals import Stopped
from backend.stack.compose.project import Place
from backend.stack.engine.containers import Member, chosen_members


def written(
    client: DockerClient, place: Place, service: str | None, tail: int | None
) -> Iterator[str]:
    """Yield the lines of the stack's containers in the order of their times.

    Raises EngineError.
    """
    members = chosen_members(client, place, service)
    width = _width(members)
    streams = (_stamped(it, tail) for it in members)
    for _, member, line in merge(*streams, key=lambda entry: entry[0]):
        yield f"{member.title:<{width}} | {line}"


def followed(
    client: DockerClient, place: Place, service: str | None, tail: int | None
) -> Iterator[str]:
    """Yield new lines until every container has stopped; silence does not end it.

    `client` must have no read timeout. Raises EngineError.
    """
    members = chosen_members(client, place, service)
    width = _width(members)
    arrived: SimpleQueue[str | None] = SimpleQueue()
    with ExitStack() as streams:

        def read(member: Member, chunks: Iterable[bytes]) -> None:
            for line in _lines(chunks):
                arrived.put(f"{member.title:<{width}} | {line}")
            arrived.put(None)

        for it in members:
            chunks = it.container.logs(stream=True, follow=True, tail=_tail(tail))
            streams.callback(chunks.close)
            Thread(target=read, args=(it, chunks), daemon=True).start()
        for _ in members:
            while (line := arrived.get()) is not None:
                yield line
    # A stream ends in the same way if the engine stops: then this raises an error.
    client.ping()


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Let Ctrl-C end an endless output: it is the normal way to leave, not a failure."""
    try:
        yield
    except Stopped as stop:
        if stop.name != "SIGINT":
            raise


def parse_tail(text: str | None) -> int | None:
    """Return the number of lines, or None for all of them. Raises ConfigurationError."""
    if text is None:
        return None
    if not text.isdecimal():
        raise ConfigurationError(
            f"--tail {text} is not a number of lines.", "Use --tail 100, for example."
        )
    return int(text)


def _stamped(member: Member, tail: int | None) -> Iterator[tuple[str, Member, str]]:
    text: bytes = member.container.logs(timestamps=True, tail=_tail(tail))
    for line in text.decode(errors="replace").splitlines():
        stamp, _, words = line.partition(" ")
        yield stamp, member, words


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield whole lines: a chunk may end anywhere."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace").rstrip("\r") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


def _tail(tail: int | None) -> int | Literal["all"]:
    return "all" if tail is None else tail


def _width(members: list[Member]) -> int:
    return max(len(it.title) for it in members)
