"""The answer to a request that a stopping process cancels."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alembic_boot.serving.middleware import IS_DRAINING
from backend.api.problems import answer
from backend.schemas.problems import ProblemType

_CUT_OFF = (
    "The service is stopping, and this request took too long. "
    "See whether it was done, then try again."
)


class CutOff:
    """ASGI middleware: answers a request that is cancelled while the process drains.

    It runs inside of the middleware that gives requests their ids. The cancellation still reaches
    the caller.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; if the request is cancelled before an answer, answer it."""
        has_started = False

        async def send_noting(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self.app(scope, receive, send_noting)
        except asyncio.CancelledError:
            is_draining = scope.get("state", {}).get(IS_DRAINING, bool)
            if scope["type"] == "http" and is_draining() and not has_started:
                refusal = answer(ProblemType.UNAVAILABLE, 503, _CUT_OFF)
                await refusal(scope, receive, send)
            raise
