"""`logs`: what the containers of a stack have said, and go on saying."""

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
    """Give the lines of the stack's containers in the order in which they were written.

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
    """Give the lines as they come, until every container has stopped. Silence ends nothing.

    `client` must bear silence itself. Raises EngineError.
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
    # A stream ends in the same way where the engine is gone: then this fails, and says so.
    client.ping()


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Let Ctrl-C end what would go on for ever: that is how a person leaves it, and no failure."""
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
        raise ConfigurationError(f"--tail {text} is no number of lines.", "Say --tail 100.")
    return int(text)


def _stamped(member: Member, tail: int | None) -> Iterator[tuple[str, Member, str]]:
    text: bytes = member.container.logs(timestamps=True, tail=_tail(tail))
    for line in text.decode(errors="replace").splitlines():
        stamp, _, words = line.partition(" ")
        yield stamp, member, words


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Give whole lines: a chunk may end anywhere."""
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
