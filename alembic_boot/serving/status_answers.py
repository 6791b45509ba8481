"""The status page of a process that boots, from a thread that must not wait for anything."""

from dataclasses import replace
from typing import TYPE_CHECKING

from alembic_boot.description import BootDescription
from alembic_boot.serving.handover import handed_over
from alembic_boot.situation import situation
from alembic_boot.status_page.requests import Answer, Request

if TYPE_CHECKING:  # most starts are never asked for the page
    from alembic_boot.status_page.collector import Collector
    from alembic_boot.status_page.report import Report


class StatusAnswers:
    """Answers from what was collected last, and first from the notes of this process alone."""

    def __init__(self, service: str, release: str | None) -> None:
        self._service = service
        self._release = release
        self._boot: BootDescription | None = None
        self._collector: Collector | None = None

    def describe(self, boot: BootDescription) -> None:
        """Take what is booted: from now on the database can be read."""
        self._boot = boot

    def afresh(self) -> "StatusAnswers":
        """Return the same for another process."""
        page = StatusAnswers(self._service, self._release)
        page._boot = self._boot
        return page

    def answer(self, request: Request) -> Answer:
        """Return the answer now; another thread collects what is asked for."""
        from alembic_boot.status_page.answers import answer, key_of, not_yet
        from alembic_boot.status_page.report import Report

        key = key_of(request)
        if key is None:
            return answer(request, None)
        collector = self._collecting()
        latest = collector.latest(key) if collector else None
        if latest is None:
            return answer(request, self._outline()) if isinstance(key, int) else not_yet()
        [found] = latest
        return answer(request, self._updated(found) if isinstance(found, Report) else found)

    def _collecting(self) -> "Collector | None":
        if self._collector is None and self._boot is not None:
            from alembic_boot.status_page.collecting import Collecting, Sources
            from alembic_boot.status_page.collector import Collector

            self._collector = Collector(Collecting(self._boot, self._service, Sources(handed_over)))
        return self._collector

    def _outline(self) -> "Report":
        from alembic_boot.status_page.bounds import bounded
        from alembic_boot.status_page.progress import outline

        return bounded(outline(self._service, self._release, situation(), handed_over()))

    def _updated(self, report: "Report") -> "Report":
        """Return a report with the notes of this very moment, while the boot is at work."""
        if not situation().is_booting:
            return report
        now = self._outline()
        return replace(
            report,
            at=now.at,
            condition=now.condition,
            reason=now.reason,
            elapsed=now.elapsed,
            stages=now.stages,
            running=now.running,
        )
