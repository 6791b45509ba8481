"""The statuses that may follow each status."""

from collections.abc import Mapping
from typing import TypeVar

from backend.models import BookStatus, VoiceStatus
from backend.services.errors import TransitionError

Status = TypeVar("Status", BookStatus, VoiceStatus)

OF_BOOKS: Mapping[BookStatus, frozenset[BookStatus]] = {
    BookStatus.DRAFT: frozenset({BookStatus.CREATING, BookStatus.COMPLETED}),
    BookStatus.CREATING: frozenset({BookStatus.COMPLETED, BookStatus.FAILED}),
    BookStatus.FAILED: frozenset({BookStatus.CREATING, BookStatus.DRAFT}),
    # A finished book may be opened again to be rewritten.
    BookStatus.COMPLETED: frozenset({BookStatus.DRAFT}),
}

OF_VOICES: Mapping[VoiceStatus, frozenset[VoiceStatus]] = {
    VoiceStatus.PROCESSING: frozenset({VoiceStatus.COMPLETED, VoiceStatus.FAILED}),
    VoiceStatus.FAILED: frozenset({VoiceStatus.PROCESSING}),
    # The provider has finished with it.
    VoiceStatus.COMPLETED: frozenset(),
}


def require_transition(
    allowed: Mapping[Status, frozenset[Status]], present: Status, wanted: Status
) -> None:
    """Return if `wanted` may follow `present` or equals it; else raise TransitionError."""
    if wanted in allowed[present] or wanted == present:
        return
    following = ", ".join(sorted(allowed[present])) or "nothing"
    raise TransitionError(
        f"The status cannot go from {present} to {wanted}. After {present} comes: {following}."
    )
