"""Many raw connections at once: quick and slow writers, slow readers, idle ones."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

Outcomes = Counter[str]
"""How often each status was answered; of failed connections, the name of the error."""

PATIENCE = 60.0
"""Seconds after which a client gives up."""

_SMALL = 4096
"""Bytes: what a slow reader's socket takes before it has to be read."""


def request(
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    length: int | None = None,
) -> bytes:
    """Return a request as it goes over the wire; `length` declares another length of the body."""
    content = (
        body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    )
    declared = len(content) if length is None else length
    lines = {
        "Host": "attacked",
        "Connection": "close",
        **(
            {"Content-Type": "application/json", "Content-Length": f"{declared}"}
            if declared
            else {}
        ),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content


async def crowd(count: int, act: Callable[[], Awaitable[str]]) -> Outcomes:
    """Do the same so many times side by side; return what came of it."""

    async def once() -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                return await act()
        except (OSError, EOFError) as error:  # a timeout is an OSError
            return type(error).__name__

    return Counter(await asyncio.gather(*(once() for _ in range(count))))


async def ask(port: int, sent: bytes) -> str:
    """Send a request at once and read the whole answer; return its status."""
    async with connected(port) as (reader, writer):
        writer.write(sent)
        await writer.drain()
        return await _answer(reader)


async def ask_slowly(port: int, sent: bytes, part: int, pause: float) -> str:
    """Send a request in parts of so many bytes, `pause` seconds between two; return the status.

    The client stops sending when the answer begins.
    """
    async with connected(port) as (reader, writer):
        answer = asyncio.create_task(_answer(reader))
        for begin in range(0, len(sent), part):
            writer.write(sent[begin : begin + part])
            await writer.drain()
            await asyncio.wait([answer], timeout=pause)
            if answer.done():
                break
        return await answer


async def read_slowly(port: int, sent: bytes, part: int, pause: float, seconds: float) -> str:
    """Send a request and read its answer in parts, for so many seconds at most.

    Return the status, with "unread" behind it if the answer was not over by then.
    """
    async with connected(port, receive=_SMALL) as (reader, writer):
        writer.write(sent)
        await writer.drain()
        status = await _status(reader)
        try:
            async with asyncio.timeout(seconds):
                while await reader.read(part):
                    await asyncio.sleep(pause)
        except TimeoutError:
            return f"{status} unread"
        return status


async def stay_idle(port: int, seconds: float, sent: bytes = b"") -> str:
    """Send nothing, or the beginning of a request; return "closed" if the server ends that."""
    async with connected(port) as (reader, writer):
        writer.write(sent)
        try:
            async with asyncio.timeout(seconds):
                while await reader.read(_SMALL):
                    pass
        except TimeoutError:
            return "open"
        return "closed"


@asynccontextmanager
async def connected(
    port: int, receive: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Give a connection, which ends with a reset if something is still under way.

    `receive` is how many bytes the kernel takes for the client beforehand.
    """
    sock = socket.socket()
    try:
        sock.setblocking(False)
        if receive is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=_SMALL)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
    finally:
        sock.close()


async def _answer(reader: asyncio.StreamReader) -> str:
    status = await _status(reader)
    while await reader.read(1 << 16):
        pass
    return status


async def _status(reader: asyncio.StreamReader) -> str:
    line = await reader.readline()
    if not line:
        raise EOFError("The server closed the connection without an answer.")
    return line.split()[1].decode()
