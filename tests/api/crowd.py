"""Requests that are sent side by side."""

import asyncio
from collections.abc import Sequence

import httpx


def all_at_once(requests: Sequence[httpx.Request]) -> list[httpx.Response]:
    """Return the answers to requests that are sent side by side, each over its own connection."""

    async def send_all() -> list[httpx.Response]:
        unbounded = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=unbounded, timeout=60) as client:
            return await asyncio.gather(*map(client.send, requests))

    return asyncio.run(send_all())
