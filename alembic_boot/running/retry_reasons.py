"""The reasons for a retry, and the log lines and errors about it."""

from collections.abc import Sequence

from alembic_boot.commands import setting
from alembic_boot.errors import MigrationFailedError
from alembic_boot.running.blockers import AnyBlocker, listed

LOCK_NOT_AVAILABLE, CANCELLED = "55P03", "57014"
"""The SQLSTATEs of a wait for a lock that was too long, and of a statement that was cancelled."""

_PHRASES = {
    LOCK_NOT_AVAILABLE: "is blocked by {}",
    "40P01": "was the victim of a deadlock with {}",
    "40001": "conflicts with a change that another session has committed",
}
"""By SQLSTATE; the blockers stand for {}."""

_UNDONE = "The revision was rolled back."
_KEPT = "Its changes outside of a transaction are kept."


class CutShortError(MigrationFailedError):
    """A revision has caught the error of a lock wait that boot had ended, and continued."""

    sqlstate = LOCK_NOT_AVAILABLE

    def __init__(self, label: str) -> None:
        """Make the error for the migration with this label."""
        super().__init__(
            f"Migration {label} continued after its wait for a lock was ended because of live "
            "traffic.",
            f"Start again. {_UNDONE}",
        )


def phrase(state: str | None, *, has_cancelled: bool) -> str | None:
    """Return the phrase for a failure with this SQLSTATE; None if live traffic is not the cause.

    `has_cancelled` says that boot has cancelled the statement. A cancel by another session is no
    reason for a retry.
    """
    is_ours = state == CANCELLED and has_cancelled
    return _PHRASES.get(LOCK_NOT_AVAILABLE if is_ours else state or "")


def building(what: str) -> str:
    """Return the phrase for a revision that waits until others have built an index."""
    return f"waits for {what.replace('{', '{{').replace('}', '}}')}, which is built by {{}}"


def again(label: str, phrase: str, blockers: Sequence[AnyBlocker], budget: float) -> str:
    """Return the line for a revision that is tried again, within a budget of seconds."""
    happened = phrase.format(listed(blockers))
    return f"Migration {label} {happened}; retrying for up to {budget:g} s"


def over(
    label: str, phrase: str, blockers: Sequence[AnyBlocker], budget: float, *, keeps: bool = False
) -> MigrationFailedError:
    """Return the error for a revision when the budget of seconds is used up.

    `keeps` says that a part of the revision was committed.
    """
    happened = phrase.format(listed(blockers))
    return MigrationFailedError(
        f"Migration {label} {happened}; live traffic has blocked migrations for more than "
        f"{budget:g} s.",
        f"See what it is doing, or set {setting('TRAFFIC_TIMEOUT')} higher. "
        + (_KEPT if keeps else _UNDONE),
    )


def halfway(label: str, phrase: str, blockers: Sequence[AnyBlocker]) -> MigrationFailedError:
    """Return the error for a statement that commits as it goes, and cannot be tried again."""
    happened = phrase.format(listed(blockers))
    return MigrationFailedError(
        f"Migration {label} {happened}, in a statement that may have committed a part of itself.",
        "It is not retried: see what it has done. The next start says how to go on.",
    )


def in_the_way(label: str, blockers: Sequence[AnyBlocker]) -> MigrationFailedError:
    """Return the error for a blocked revision that blocks other sessions meanwhile."""
    return MigrationFailedError(
        f"Migration {label} is blocked by {listed(blockers)}, and other sessions wait for "
        "locks that it holds.",
        "Its last transaction was rolled back; its earlier commits stay. "
        "Move the statements on another table into a revision of their own, and start again.",
    )
