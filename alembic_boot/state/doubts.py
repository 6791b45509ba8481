"""Revisions that were cut short when they had committed a part of themselves."""

from collections.abc import Iterable

from alembic_boot.commands import as_typed
from alembic_boot.errors import MigrationFailedError
from alembic_boot.history.history import History
from alembic_boot.state.inspection import Doubt
from alembic_boot.state.journal import Journal, Unfinished


def doubts(
    unfinished: Iterable[Unfinished], history: History, journal: Journal
) -> tuple[Doubt, ...]:
    """Return of which revisions a part would be done again that may do harm then."""
    return tuple(_doubt(it, history, journal) for it in unfinished if it.committed)


def _doubt(unfinished: Unfinished, history: History, journal: Journal) -> Doubt:
    known = history.revisions.get(unfinished.revision)
    return Doubt(
        revision=unfinished.revision,
        direction=unfinished.direction,
        label=history.label(unfinished.revision),
        # As it was told before the journal, which has to be storable in any encoding, had it.
        committed=(unfinished.committed or "").replace(r"\u2026", "…"),
        row=f"{journal.table} WHERE id = {unfinished.id}",
        is_changed=unfinished.file_sha256 != (known.file_sha256 if known else None),
    )


def refusal(doubt: Doubt) -> MigrationFailedError:
    """Return why that revision is not run again, and what people can do about it."""
    stamp = f" and say so with `{as_typed(f'inv stamp --revision {doubt.revision}')}`"
    return MigrationFailedError(
        f"Migration {doubt.label} was cut short before, when it had committed a part of itself "
        f"({doubt.committed}), which may do harm where it is done again.",
        f"Take that part back and say so with `DELETE FROM {doubt.row}`, or finish the revision "  # noqa: S608
        f"by hand{stamp if doubt.direction == 'upgrade' else ''}, or change the file so that it "
        "can be run again. Nothing was changed.",
    )
