"""Who may see and change what: the one place that knows.

Everybody sees what is public, or there by default; its owner sees what is private, too. Only the
owner changes or deletes it, and nobody what is there by default.
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
    """A part of what somebody sees."""

    MINE = "mine"
    PUBLIC = "public"
    DEFAULT = "default"


def is_shared(kind: type[Book] | type[Voice]) -> ColumnElement[bool]:
    """Return the condition for what everybody sees."""
    return kind.visibility.in_([Visibility.PUBLIC, Visibility.DEFAULT])


def is_own(kind: type[Book] | type[Voice] | type[Audio], owner: UUID) -> ColumnElement[bool]:
    """Return the condition for what is somebody's."""
    return kind.user_id == owner


def is_on_shelf(
    kind: type[Book] | type[Voice], viewer: UUID | None, shelf: Shelf | None
) -> ColumnElement[bool]:
    """Return the condition for what `viewer` sees of a shelf; None is everybody, and every shelf.

    Raises UnauthenticatedError where nobody asks for what is theirs.
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
    """Return whether everybody sees what has this visibility."""
    return visibility is not Visibility.PRIVATE


def changeable(session: Session, kind: type[Owned], owner: UUID, identifier: UUID) -> Owned:
    """Return what `owner` may change, locked until the transaction ends.

    The lock lets one writer at a time at a book, whatever part of it is written, so that positions
    are given once and a status follows the one that is there. Readers do not wait for it.

    Raises NotFoundError where there is none or it is private to somebody else, ReadOnlyError where
    it is there by default, or public and somebody else's: everybody sees those, so nothing is given
    away. Those are not locked: nobody is to hold up what is not theirs.
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
    """Return why something cannot be changed, by what everybody sees of it."""
    name = kind.__name__.lower()
    visibility = session.scalar(
        select(kind.visibility).where(kind.id == identifier, is_shared(kind))
    )
    match visibility:
        case None:
            return NotFoundError(f"There is no such {name}.")
        case Visibility.DEFAULT:
            return ReadOnlyError(f"This {name} is there for everybody, and nobody changes it.")
        case _:
            return ReadOnlyError(f"This {name} is somebody else's: only its owner changes it.")
