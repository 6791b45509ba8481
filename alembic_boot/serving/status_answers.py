"""The status page of a process that boots, which answers while nothing else serves."""

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from alembic_boot.description import BootDescription
from alembic_boot.serving.handover import handed_over
from alembic_boot.situation import situation
from alembic_boot.status_page.requests import Answer, Request

if TYPE_CHECKING:  # most starts are never asked for the page
    from alembic_boot.status_page.collecting import Collecting
    from alembic_boot.status_page.collector import Collector
    from alembic_boot.status_page.report import Found, Key, Report

_PATIENCE = 3.0
"""Seconds that a client waits."""

Ready = tuple[str, int, str]
"""The host, the port and the path at which the service tells whether it is ready."""


class StatusAnswers:
    """Answers from what its own thread collects: at first from the notes of this process alone."""

    def __init__(self, service: str, release: str | None, ready: Ready) -> None:
        self._service = service
        self._release = release
        self._ready = ready
        self._boot: BootDescription | None = None
        self._collecting: Collecting | None = None
        self._collector: Collector | None = None

    def describe(self, boot: BootDescription) -> None:
        """Take what is booted: from now on the database can be read."""
        self._boot = boot

    def afresh(self) -> "StatusAnswers":
        """Return the same for another process."""
        page = StatusAnswers(self._service, self._release, self._ready)
        page._boot = self._boot
        return page

    async def answer(self, request: Request) -> Answer:
        """Return the answer to a client; `not_yet` if it takes too long."""
        from alembic_boot.status_page.collector import Collector

        if self._collector is None:
            self._collector = Collector(self._collect, self._knows)
        return await self._collector.answer(request, _PATIENCE)

    def _collect(self, keys: "Collection[Key]") -> "dict[Key, Found]":
        if self._boot is None:
            return {key: self._outline() if isinstance(key, int) else None for key in keys}
        if self._collecting is None:
            from alembic_boot.serving.service_probe import ask_service
            from alembic_boot.status_page.collecting import Collecting, Sources

            said = partial(ask_service, *self._ready)
            sources = Sources(partial(handed_over, self._boot), said)
            self._collecting = Collecting(self._boot, self._service, sources)
        return self._collecting(keys)

    def _knows(self, revision: str) -> bool:
        return self._collecting is None or self._collecting.knows(revision)

    def _outline(self) -> "Report":
        from alembic_boot.status_page.progress import outline
        from alembic_boot.status_page.report import bounded

        return bounded(outline(self._service, self._release, situation(), {}))
