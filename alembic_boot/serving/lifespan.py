"""Report in one line why an application's lifespan failed; frameworks send a whole traceback."""

import sys
from collections.abc import Callable
from typing import Any

from alembic_boot.errors import BootError
from alembic_boot.foreign import describe
from alembic_boot.serving.draining import App, Message, Receive, Send

_FAILED = ("lifespan.startup.failed", "lifespan.shutdown.failed")


def failing_briefly(app: Any, is_told: Callable[[str, BaseException], bool]) -> App:
    """Return the ASGI application whose lifespan fails with one line, or with none.

    `is_told` gets the type of the message and the exception, and returns whether that exception is
    reported elsewhere: then the message is empty. A text that the application itself sends, outside
    of any `except`, stays as it is.
    """

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        async def send_briefly(message: Message) -> None:
            # Starlette and Litestar send this while they handle the lifespan's exception.
            error = sys.exception()
            if message["type"] in _FAILED and error is not None:
                is_known = is_told(message["type"], error)
                message = {**message, "message": "" if is_known else line_of(error)}
            await send(message)

        await app(scope, receive, send_briefly if scope["type"] == "lifespan" else send)

    return serve


def line_of(error: BaseException) -> str:
    """Return a failure on one line: sentences of a foreseen one, else its place, kind and text."""
    return str(error) if isinstance(error, BootError) else describe(error)
