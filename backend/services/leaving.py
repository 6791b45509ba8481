"""The end of an account, and of all that is its own."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from backend.events.event import Event, Kind
from backend.models import Book, User, Visibility, Voice
from backend.services.access import is_own, is_shared
from backend.services.accounts import TOKEN_REFUSED
from backend.services.changes import commit
from backend.services.errors import ConflictError, UnauthenticatedError
from backend.services.tokens import Claim

_KINDS: tuple[tuple[Kind, type[Book] | type[Voice]], ...] = (("book", Book), ("voice", Voice))


def delete_account(session: Session, claim: Claim) -> None:
    """Delete an account with its books, recordings and voices. Send an event for each public one.

    Raises UnauthenticatedError if all tokens were ended meanwhile, and ConflictError if something
    of it is there by default: others rely on that, and the operator decides.
    """
    owner = claim.account
    # The lock keeps others from adding a book, or ending the tokens, meanwhile.
    found = session.scalar(
        select(User.id)
        .where(User.id == owner, User.token_generation == claim.generation)
        .with_for_update()
    )
    if found is None:
        raise UnauthenticatedError(TOKEN_REFUSED)
    if any(_ids(session, kind, owner, kind.visibility == Visibility.DEFAULT) for _, kind in _KINDS):
        raise ConflictError(
            "Something of this account is there for everybody by default. Ask the operator."
        )
    events = [
        Event(name, "deleted", identifier, owner, is_shared=True)
        for name, kind in _KINDS
        for identifier in _ids(session, kind, owner, is_shared(kind))
    ]
    session.execute(delete(User).where(User.id == owner))
    commit(session, *events)


def _ids(
    session: Session, kind: type[Book] | type[Voice], owner: UUID, condition: ColumnElement[Any]
) -> list[UUID]:
    return list(session.scalars(select(kind.id).where(is_own(kind, owner), condition)))
