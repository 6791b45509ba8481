"""Bodies have a greatest size: a larger one is refused, and the connection closed in order."""

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.authentication import bearer, claim_in
from backend.api.big_bodies import Place, Room
from backend.api.bodies import Body, BodyRefusedError
from backend.api.privacy import is_about_accounts
from backend.api.problems import answer

_READ_BY_ROUTES = frozenset({"POST", "PUT", "PATCH"})
"""The methods whose bodies endpoints read, if there are any."""

_MOST_OF_ACCOUNTS = 8 << 10
"""Bytes of a body that is about an account: a padded one is to take no big body's place."""


class BodyLimit:
    """ASGI middleware: reads a whole body, and passes the request on with it in one message.

    A body that is too large or comes too slowly is refused before anything is done. A length that
    is declared is believed at once, what comes in chunks is counted. What no endpoint reads is read
    all the same, and not kept. FastAPI has a limit of its own, but its size has to be known before
    the settings are read, and it answers with plain text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._room = Room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body up to what is allowed."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        place = Place(self._room)
        body = Body(receive, _declared(scope), _most(scope))

        async def send_and_leave(message: Message) -> None:
            # The work is done: a slow reader of the answer keeps no place from others.
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
    """Answer, and close the connection when the client has sent everything or had its time.

    To close with something unread would reset the connection, and take the answer away from a
    client that is still sending.
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
    """Return what gives the body once, and then what comes from the client; it keeps nothing."""
    messages: list[Message] = [{"type": "http.request", "body": body}]

    async def give() -> Message:
        return messages.pop() if messages else await receive()

    return give


async def _is_read(scope: Scope) -> bool:
    """Return whether an endpoint may read the body.

    Only the endpoints of accounts read one without a good token. So a client without a token has
    room for a small body alone.
    """
    if scope["method"] not in _READ_BY_ROUTES:
        return False
    if is_about_accounts(scope):
        return True
    return claim_in(await bearer(Request(scope)), scope["app"].state.resources.tokens) is not None


def _most(scope: Scope) -> int:
    """Return how many bytes the body may have."""
    most: int = scope["app"].state.resources.max_body_bytes
    return min(most, _MOST_OF_ACCOUNTS) if is_about_accounts(scope) else most


def _declared(scope: Scope) -> int:
    """Return the length that the header has, which the server has checked; 0 without one."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0
