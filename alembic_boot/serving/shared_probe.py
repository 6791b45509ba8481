"""One readiness check for all callers: they share a single query of the database."""

import asyncio
import math
from typing import Protocol

from alembic_boot.state.readiness import Readiness

FRESH = 1.0
"""Seconds for which an answer is reused, so that callers cause one query per second."""


class Probe(Protocol):
    """Checks the database, and remembers the result."""

    def check(self) -> Readiness:
        """Check now; this takes up to three seconds."""

    def last(self, within: float = math.inf) -> Readiness | None:
        """Return the last result if it is recent enough and still true."""


class SharedProbe:
    """Runs one check at a time, for one event loop."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._question: asyncio.Task[Readiness] | None = None

    async def now(self, within: float = FRESH) -> Readiness:
        """Return a result that is at most `within` seconds old, or the next one.

        If requests fail during the check, check again, but only once: otherwise a process with
        constant failures would never answer.
        """
        if (known := self._probe.last(within)) is not None:
            return known
        await self._answer()
        return self._probe.last() or await self._answer()

    async def _answer(self) -> Readiness:
        """Return the result of the running check, or of a new one."""
        if self._question is None:
            self._question = asyncio.create_task(self._ask())
        # If one caller disconnects, the others still get the answer.
        return await asyncio.shield(self._question)

    async def _ask(self) -> Readiness:
        try:
            # Not in the threads for requests: all of those may be waiting for the database.
            return await asyncio.to_thread(self._probe.check)
        finally:
            self._question = None
