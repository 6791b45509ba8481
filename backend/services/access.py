"""The rules of access: who may read and who may change an object.

Everybody sees objects that are public or default. Only the owner sees private objects, and only the
owner changes or deletes an object. A default object cannot be changed.
"""

from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, raiseload

from backend.models import Audio, Book, Visibility, Voice
from backend.services.errors import (
    NotFoundError,
    ReadOnlyError,
    ServiceError,
    UnauthenticatedError,
)

Owned = TypeVar("Owned", Book, Voice)


class Shelf(StrEnum):
    """A part of the objects that a viewer sees."""

    MINE = "mine"
    PUBLIC = "public"
    DEFAULT = "default"


def is_shared(kind: type[Book] | type[Voice]) -> ColumnElement[bool]:
    """Return the condition for objects that everybody sees."""
    return kind.visibility.in_([Visibility.PUBLIC, Visibility.DEFAULT])


def is_own(kind: type[Book] | type[Voice] | type[Audio], owner: UUID) -> ColumnElement[bool]:
    """Return the condition for objects of this owner."""
    return kind.user_id == owner


def is_on_shelf(
    kind: type[Book] | type[Voice], viewer: UUID | None, shelf: Shelf | None
) -> ColumnElement[bool]:
    """Return the condition for the objects of a shelf that `viewer` sees.

    A viewer of None has no account; a shelf of None means every shelf.

    Raises UnauthenticatedError for the shelf `mine` without a viewer.
    """
    match shelf:
        case Shelf.PUBLIC:
            return kind.visibility == Visibility.PUBLIC
        case Shelf.DEFAULT:
            return kind.visibility == Visibility.DEFAULT
        case Shelf.MINE:
            if viewer is None:
                raise UnauthenticatedError("Sign in to see what is yours.")
            return is_own(kind, viewer)
        case None:
            everybodys = is_shared(kind)
            return everybodys if viewer is None else or_(everybodys, is_own(kind, viewer))


def is_for_everybody(visibility: Visibility) -> bool:
    """Return whether everybody sees objects of this visibility."""
    return visibility is not Visibility.PRIVATE


def changeable(session: Session, kind: type[Owned], owner: UUID, identifier: UUID) -> Owned:
    """Return an object that `owner` may change, locked until the transaction ends.

    The lock lets only one transaction at a time write any part of a book. So each position is given
    once, and a status follows the present one. Readers do not wait for the lock.

    Raises NotFoundError if the object does not exist or is private to another account. Raises
    ReadOnlyError if the object is default, or public and of another account: everybody sees these,
    so the error reveals nothing. Such objects are not locked: a caller must not block objects of
    others.
    """
    found = session.scalar(
        select(kind)
        .where(kind.id == identifier, is_own(kind, owner))
        .options(raiseload("*"))
        .with_for_update(key_share=True)
    )
    if found is not None and found.visibility is not Visibility.DEFAULT:
        return found
    raise _refusal(session, kind, identifier)


def _refusal(session: Session, kind: type[Owned], identifier: UUID) -> ServiceError:
    """Return the reason for the refusal, from what everybody sees of the object."""
    name = kind.__name__.lower()
    visibility = session.scalar(
        select(kind.visibility).where(kind.id == identifier, is_shared(kind))
    )
    match visibility:
        case None:
            return NotFoundError(f"There is no such {name}.")
        case Visibility.DEFAULT:
            return ReadOnlyError(f"This {name} is a default one, and cannot be changed.")
        case _:
            return ReadOnlyError(
                f"This {name} belongs to another account: only its owner can change it."
            )
