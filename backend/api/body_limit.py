"""Limit the size of bodies: refuse a larger body, then close the connection in order."""

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.authentication import bearer, claim_in
from backend.api.big_bodies import Place, Room
from backend.api.bodies import Body, BodyRefusedError
from backend.api.privacy import is_about_accounts
from backend.api.problems import answer

_READ_BY_ROUTES = frozenset({"POST", "PUT", "PATCH"})
"""The methods whose bodies endpoints may read."""

_MOST_OF_ACCOUNTS = 8 << 10
"""Bytes for a body of an account route: a padded body must not count as a big one."""


class BodyLimit:
    """ASGI middleware: reads a whole body, and passes the request on with it in one message.

    A body that is too large or comes too slowly is refused before anything is done. A declared
    length is trusted at once; chunks are counted. A body that no endpoint reads is received and
    discarded. FastAPI's own limit must be known before the settings are read, and answers with
    plain text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._room = Room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its body up to the limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        place = Place(self._room)
        body = Body(receive, _declared(scope), _most(scope))

        async def send_and_leave(message: Message) -> None:
            # The work is done: a slow reader of the answer must not hold room for bodies.
            place.leave()
            await send(message)

        try:
            given = _given(await body.read(place if await _is_read(scope) else None), receive)
            await self.app(scope, given, send_and_leave)
        except BodyRefusedError as error:
            place.leave()
            await _refuse(body, error, scope, receive, send)
        finally:
            place.leave()


async def _refuse(
    body: Body, error: BodyRefusedError, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer, and close the connection when the client has sent everything or its time is over.

    Closing a connection with unread data would reset it, and a client that is still sending would
    lose the answer.
    """

    async def send_and_pass_over(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
        else:
            await send({**message, "more_body": True})
            await body.pass_over()
            await send({"type": "http.response.body"})

    refusal = answer(
        error.kind, error.status, error.detail, {**error.headers, "Connection": "close"}
    )
    await refusal(scope, receive, send_and_pass_over)


def _given(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields the body once, then the messages of the client."""
    messages: list[Message] = [{"type": "http.request", "body": body}]

    async def give() -> Message:
        return messages.pop() if messages else await receive()

    return give


async def _is_read(scope: Scope) -> bool:
    """Return whether an endpoint may read the body.

    Only account routes read a body without a valid token. So a client without a token can send a
    small body only.
    """
    if scope["method"] not in _READ_BY_ROUTES:
        return False
    if is_about_accounts(scope):
        return True
    return claim_in(await bearer(Request(scope)), scope["app"].state.resources.tokens) is not None


def _most(scope: Scope) -> int:
    """Return the largest allowed size of the body in bytes."""
    most: int = scope["app"].state.resources.max_body_bytes
    return min(most, _MOST_OF_ACCOUNTS) if is_about_accounts(scope) else most


def _declared(scope: Scope) -> int:
    """Return the Content-Length, which the server has checked; 0 without the header."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0
