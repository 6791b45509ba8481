"""Readiness for all who ask: one question of the database answers everybody who waits for it."""

import asyncio
import math
from typing import Protocol

from alembic_boot.serving.judge import Readiness

FRESH = 1.0
"""Seconds for which an answer is given again, so that callers cause one question a second."""


class Probe(Protocol):
    """Looks at the database, and remembers what it found."""

    def check(self) -> Readiness:
        """Look now, which takes up to three seconds."""

    def last(self, within: float = math.inf) -> Readiness | None:
        """Return what the last look found, if that is young enough and still true."""


class SharedProbe:
    """Asks one question at a time; for use in one event loop."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._question: asyncio.Task[Readiness] | None = None

    async def now(self, within: float = FRESH) -> Readiness:
        """Return an answer that is at most `within` seconds old, or the next one.

        If this process learns meanwhile that requests fail, it asks again, once: a process that
        learns something all the time would else never answer.
        """
        if (known := self._probe.last(within)) is not None:
            return known
        await self._answer()
        return self._probe.last() or await self._answer()

    async def _answer(self) -> Readiness:
        """Return the answer to the question under way, or to a new one."""
        if self._question is None:
            self._question = asyncio.create_task(self._ask())
        # If one caller goes away, the others still get the answer.
        return await asyncio.shield(self._question)

    async def _ask(self) -> Readiness:
        try:
            # Not among the threads of requests: those may all be waiting for the database.
            return await asyncio.to_thread(self._probe.check)
        finally:
            self._question = None
