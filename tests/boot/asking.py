"""Requests to an application that runs in this process."""

import asyncio
from typing import Any

from httpx import ASGITransport, AsyncClient, Response


def asked(app: Any, *requests: str) -> list[Response]:
    """Return the answers of an application, while it runs."""

    async def run() -> list[Response]:
        client = AsyncClient(transport=ASGITransport(app), base_url="http://them")
        async with app.router.lifespan_context(app), client:
            return [await client.request(*it.split()) for it in requests]

    return asyncio.run(run())
