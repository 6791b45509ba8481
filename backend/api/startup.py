"""A start-up that fails for a foreseen reason says so in one sentence, on any ASGI server.

It matters if `uvicorn backend.main:app` is run by hand. Boot's own server does it for whatever
application it serves, in alembic_boot/serving/lifespan.py, and also for a failed shutdown.
"""

import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alembic_boot.errors import BootError
from alembic_boot.masking import mask


class BriefStartupFailure:
    """ASGI middleware for the lifespan: the message of a failed start-up, as a person wants it.

    Starlette sends the server a traceback to log, whatever was raised. For a BootError its
    sentence is all there is to know; for anything else the traceback stays. Passwords are masked
    in both.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, the lifespan's failure in other words."""

        async def send_briefly(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                # Starlette sends this while it handles the exception that the lifespan raised.
                error = sys.exception()
                text = str(error) if isinstance(error, BootError) else message.get("message", "")
                message = {**message, "message": mask(text)}
            await send(message)

        await self.app(scope, receive, send_briefly if scope["type"] == "lifespan" else send)
