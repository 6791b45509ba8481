"""Report a foreseen failure of the start-up in one sentence, on any ASGI server.

This matters for `uvicorn backend.main:app`. The boot's own server does the same for any
application, in alembic_boot/serving/middleware.py, and also for a failed shutdown.
"""

import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alembic_boot.errors import BootError
from alembic_boot.output.masking import mask


class BriefStartupFailure:
    """ASGI middleware for the lifespan: shortens the message of a failed start-up.

    Starlette sends a traceback to the server, whatever was raised. For a BootError the sentence is
    enough; for any other exception the traceback stays. Passwords are masked in both.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; shorten the message of a failed start-up."""

        async def send_briefly(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                # Starlette sends this while it handles the exception from the lifespan.
                error = sys.exception()
                text = str(error) if isinstance(error, BootError) else message.get("message", "")
                message = {**message, "message": mask(text)}
            await send(message)

        await self.app(scope, receive, send_briefly if scope["type"] == "lifespan" else send)
