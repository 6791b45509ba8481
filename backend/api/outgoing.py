"""Limit the bytes of answers that are being sent, because clients may read them very slowly."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.problems import answer
from backend.schemas.problems import ProblemType

BIG = 4 << 10
"""Bytes: smaller answers are never refused. The system buffers them at once for any client."""

_MOST = 64 << 20
"""Bytes of big answers; an answer that several clients share counts once."""

_RETRY_AFTER = 5
"""Seconds."""

_REFUSAL = "Too many large answers are being sent to clients that take them slowly: try again."


class AnswersInFlight:
    """The big answers that are being sent, for one event loop: not thread-safe."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._clients: dict[int, int] = {}
        self._size = 0

    def add(self, body: bytes, *, has_begun: bool = False) -> bool:
        """Hold an answer for one more client; if it is too much, hold nothing and return False.

        A later part of an answer that has begun is never too much. Only exports have such parts,
        and few exports are sent at once.
        """
        name = id(body)
        if name not in self._clients:
            # A single answer of any size can always be sent.
            is_too_much = self._clients and self._size + len(body) > self._most
            if is_too_much and not has_begun:
                return False
            self._clients[name] = 0
            self._size += len(body)
        self._clients[name] += 1
        return True

    def remove(self, body: bytes) -> None:
        """Note that one client has its answer, or has disconnected."""
        name = id(body)
        self._clients[name] -= 1
        if not self._clients[name]:
            del self._clients[name]
            self._size -= len(body)


class BoundedAnswers:
    """ASGI middleware: answers 503 instead of a big answer that has no room."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._held = AnswersInFlight()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and pass its answer back once its first bytes are known."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        is_refused = False

        async def send_if_there_is_room(message: Message) -> None:
            nonlocal start, is_refused
            if is_refused:
                return
            if message["type"] == "http.response.start":
                start = message
                return
            body = message.get("body", b"")
            is_big = len(body) > BIG
            if is_big and not self._held.add(body, has_begun=start is None):
                is_refused = True
                headers = {"Retry-After": str(_RETRY_AFTER), "Connection": "close"}
                refusal = answer(ProblemType.UNAVAILABLE, 503, _REFUSAL, headers)
                await refusal(scope, receive, send)
                return
            try:
                if start is not None:
                    begin, start = start, None
                    await send(begin)
                await send(message)
            finally:
                if is_big:
                    self._held.remove(body)

        await self.app(scope, receive, send_if_there_is_room)
