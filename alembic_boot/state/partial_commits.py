"""Revisions that were interrupted after a part of them was committed."""

from collections.abc import Iterable

from alembic_boot.commands import as_typed
from alembic_boot.errors import MigrationFailedError
from alembic_boot.history.history import History
from alembic_boot.state.inspection import PartialCommit
from alembic_boot.state.journal import Journal, Unfinished


def partial_commits(
    unfinished: Iterable[Unfinished], history: History, journal: Journal
) -> tuple[PartialCommit, ...]:
    """Return the interrupted revisions whose committed part may do harm if it is repeated."""
    return tuple(
        PartialCommit(
            revision=it.revision,
            direction=it.direction,
            label=history.label(it.revision),
            # The journal stores the text with this escape, for databases of every encoding.
            committed=it.committed.replace(r"\u2026", "…"),
            row=f"{journal.table} WHERE id = {it.id}",
            is_changed=it.file_sha256 != _hash(it.revision, history),
        )
        for it in unfinished
        if it.committed
    )


def _hash(revision: str, history: History) -> str | None:
    known = history.revisions.get(revision)
    return known and known.file_sha256


def refusal(partial: PartialCommit) -> MigrationFailedError:
    """Return why that revision is not run again, and how to continue."""
    stamp = f" and say so with `{as_typed(f'stamp --revision {partial.revision}')}`"
    return MigrationFailedError(
        f"Migration {partial.label} was interrupted after it had committed a part of itself "
        f"({partial.committed}), which may do harm if it is repeated.",
        f"Take that part back and say so with `DELETE FROM {partial.row}`, or finish the revision "  # noqa: S608
        f"by hand{stamp if partial.direction == 'upgrade' else ''}, or change the file so that it "
        "can be run again. Nothing was changed.",
    )
