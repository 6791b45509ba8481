"""Delete an account with all its data."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from backend.events.event import Event, Kind
from backend.models import Audio, Book, User, Visibility, Voice
from backend.services.access import is_for_everybody, is_own
from backend.services.accounts import TOKEN_REFUSED
from backend.services.changes import commit
from backend.services.errors import ConflictError, UnauthenticatedError
from backend.services.tokens import Claim

_KINDS: tuple[tuple[Kind, type[Book] | type[Voice]], ...] = (("book", Book), ("voice", Voice))

_AT_ONCE: dict[type[Book] | type[Voice] | type[Audio], int] = {Book: 10, Voice: 1000, Audio: 1000}
"""Rows per DELETE statement: a statement has a time limit, and a book may have many parts."""


def delete_account(session: Session, claim: Claim) -> None:
    """Delete an account with its books, recordings and voices. Send an event for each public one.

    Raises UnauthenticatedError if all tokens were revoked meanwhile. Raises ConflictError if an
    object of the account is default: others rely on it, and the operator decides.
    """
    owner = claim.account
    # While the row is locked, no transaction can add a book or revoke the tokens.
    found = session.scalar(
        select(User.id)
        .where(User.id == owner, User.token_generation == claim.generation)
        .with_for_update()
    )
    if found is None:
        raise UnauthenticatedError(TOKEN_REFUSED)
    events = []
    for name, kind in _KINDS:
        for row in _deleted(session, owner, kind, kind.id, kind.visibility):
            if row.visibility is Visibility.DEFAULT:
                raise ConflictError("This account owns a default book or voice. Ask the operator.")
            if is_for_everybody(row.visibility):
                events.append(Event(name, "deleted", row.id, owner, is_shared=True))
    for _ in _deleted(session, owner, Audio, Audio.id):
        pass
    session.execute(delete(User).where(User.id == owner))
    commit(session, *events)


def _deleted(
    session: Session,
    owner: UUID,
    kind: type[Book] | type[Voice] | type[Audio],
    *columns: InstrumentedAttribute[Any],
) -> Iterator[Row[Any]]:
    """Delete all objects of one kind of this owner in batches; yield these columns of each.

    The values are those at the time of the delete, even if another transaction has just changed
    them.
    """
    own = is_own(kind, owner)
    identifiers = session.scalars(select(kind.id).where(own)).all()
    at_once = _AT_ONCE[kind]
    for start in range(0, len(identifiers), at_once):
        some = kind.id.in_(identifiers[start : start + at_once])
        # The session holds none of these rows as objects.
        options = {"synchronize_session": False}
        statement = delete(kind).where(some, own).returning(*columns)
        yield from session.execute(statement, execution_options=options)
