"""Routes that read bodies as UTF-8 alone, and forget them as soon as the answer is known."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class _Utf8Request(Request):
    async def json(self) -> Any:
        """Return what the body says. Raises UnicodeDecodeError, and json.JSONDecodeError.

        Given bytes, `json.loads` would look for other encodings (RFC 8259, 8.1, has this one).
        """
        return json.loads((await self.body()).decode())


class Forgetting(APIRoute):
    """A route that reads its body by a request of its own.

    FastAPI's own request lives until the client has the whole answer, and so would the body and
    all that was parsed of it: with a slow reader of the answer, for a long time.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request of this route."""
        answered = super().get_route_handler()

        async def answer(request: Request) -> Response:
            return await answered(_Utf8Request(request.scope, request.receive))

        return answer
