"""The revisions for the status page, each with its relation to the database."""

from collections.abc import Collection, Set
from dataclasses import replace

from alembic_boot.history import history as on_disk
from alembic_boot.state.inspection import Inspection
from alembic_boot.status_page.report import Revision, RevisionStatus

MOST_REVISIONS = 500
_LOWEST_OPEN = 50
"""The oldest revisions that are not applied, which are shown in any case."""


def revisions_of(
    history: on_disk.History,
    inspection: Inspection,
    running: Collection[str],
    failed: Collection[str],
) -> tuple[Revision, ...]:
    """Return the newest revisions, in order; then those that only the database knows.

    `running` and `failed` are ids by the journal.
    """
    edited = {it.entry.revision for it in inspection.replaced}
    applied = _applied(history, inspection)

    def status(id_: str) -> RevisionStatus:
        if id_ in running:
            return RevisionStatus.RUNNING
        if id_ in failed:
            return RevisionStatus.FAILED
        if id_ in edited:
            return RevisionStatus.EDITED
        if id_ in inspection.beyond:
            return RevisionStatus.BEYOND
        return RevisionStatus.APPLIED if id_ in applied else RevisionStatus.PENDING

    known = (
        replace(pending(it), status=status(it.id), is_head=it.id in history.heads)
        for it in map(history.revisions.__getitem__, _shown(history, applied))
    )
    parents = {it.revision: it.parents for it in inspection.unknown_rows}
    unknown = (
        Revision(id_, id_, parents.get(id_, ()), RevisionStatus.UNKNOWN)
        for id_ in inspection.unknown[:MOST_REVISIONS]
    )
    return (*known, *unknown)


def pending(known: on_disk.Revision) -> Revision:
    """Return a revision of the history as one that the database does not have."""
    phase = known.phase or "contract"
    status = RevisionStatus.PENDING
    return Revision(known.id, known.title, known.parents, status, phase, known.branch_labels)


def _applied(history: on_disk.History, inspection: Inspection) -> frozenset[str]:
    known = [it for it in inspection.current if it in history.revisions]
    return inspection.applied or history.closure(known)


def _shown(history: on_disk.History, applied: Set[str]) -> tuple[str, ...]:
    order = history.in_order(history.revisions)
    if len(order) <= MOST_REVISIONS:
        return order
    still_open = [it for it in order if it not in applied][:_LOWEST_OPEN]
    newest = order[len(still_open) - MOST_REVISIONS :]
    return history.in_order({*still_open, *newest})
