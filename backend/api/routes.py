"""Routes that read bodies only as UTF-8, and free them as soon as the answer is known."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class _Utf8Request(Request):
    async def json(self) -> Any:
        """Return the parsed body. Raises UnicodeDecodeError and json.JSONDecodeError.

        With bytes, `json.loads` would accept other encodings; RFC 8259, 8.1, allows only UTF-8.
        """
        return json.loads((await self.body()).decode())


class Forgetting(APIRoute):
    """A route that reads its body through a request object of its own.

    FastAPI's own request lives until the client has the whole answer. It would keep the body and
    the parsed data in memory while a client reads the answer slowly.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler for requests of this route."""
        answered = super().get_route_handler()

        async def answer(request: Request) -> Response:
            return await answered(_Utf8Request(request.scope, request.receive))

        return answer
