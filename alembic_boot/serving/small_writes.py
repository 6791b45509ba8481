"""Send answers in pieces, so that little of a long answer is buffered for a slow client."""

from typing import Any

from alembic_boot.serving.draining import App, Message, Receive, Send

PIECE = 16 << 10
"""Bytes. With 2,000 slow readers, that is 32 MB."""


def in_pieces(app: Any) -> App:
    """Return the ASGI application; a large message is sent piece by piece as the client reads.

    Uvicorn waits before each message until the last one is sent. asyncio copies the part that the
    system does not accept at once: of a message of 4 MB that would be most of it, for each client.
    """

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        async def send_in_pieces(message: Message) -> None:
            body = message.get("body", b"")
            if len(body) <= PIECE:
                await send(message)
                return
            rest = memoryview(body)
            while len(rest) > PIECE:
                await send({**message, "body": rest[:PIECE], "more_body": True})
                rest = rest[PIECE:]
            await send({**message, "body": rest})

        await app(scope, receive, send_in_pieces)

    return serve
