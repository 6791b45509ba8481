"""Create, list, change and delete voices."""

from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, raiseload

from backend.events.event import Event
from backend.models import Voice, VoiceStatus
from backend.schemas.voices import NewVoice, VoiceChange, VoiceDetail, VoiceList
from backend.services.access import (
    Shelf,
    changeable,
    is_for_everybody,
    is_on_shelf,
    is_own,
    is_shared,
)
from backend.services.changes import commit
from backend.services.errors import ConflictError
from backend.services.listing import PageRequest, rows_of
from backend.services.transitions import OF_VOICES, require_transition


def list_voices(
    session: Session,
    viewer: UUID | None,
    shelf: Shelf | None,
    page: PageRequest,
) -> VoiceList:
    """Return a page of the voices that `viewer` sees, in one query.

    Raises UnauthenticatedError if the shelf is `mine` and there is no viewer.
    """
    wanted = [is_on_shelf(Voice, viewer, shelf)]
    voices, next_cursor = rows_of(session, Voice, VoiceDetail, wanted, page)
    return VoiceList(items=voices, next_cursor=next_cursor)


def shared_voice(session: Session, voice_id: UUID) -> VoiceDetail | None:
    """Return a shared voice: the same for every reader."""
    return _voice(session, (Voice.id == voice_id) & is_shared(Voice))


def own_voice(session: Session, owner: UUID, voice_id: UUID) -> VoiceDetail | None:
    """Return a voice of this owner."""
    return _voice(session, (Voice.id == voice_id) & is_own(Voice, owner))


def _voice(session: Session, condition: ColumnElement[bool]) -> VoiceDetail | None:
    voice = session.scalar(select(Voice).where(condition).options(raiseload("*")))
    return None if voice is None else VoiceDetail.model_validate(voice)


def create_voice(session: Session, owner: UUID, new: NewVoice) -> VoiceDetail:
    """Insert a voice. Raises ConflictError if the provider's id is taken."""
    row = session.scalar(
        insert(Voice)
        .values(id=uuid4(), user_id=owner, **new.model_dump())
        .on_conflict_do_nothing(index_elements=[Voice.provider_voice_id])
        .returning(Voice)
        .options(raiseload("*"))
    )
    if row is None:
        # The ids are the provider's, so an id is taken for all accounts. The answer tells no more.
        raise ConflictError("This provider_voice_id is taken. Send another one.")
    voice = VoiceDetail.model_validate(row)
    commit(session, Event("voice", "created", voice.id, owner, is_for_everybody(voice.visibility)))
    return voice


def change_voice(session: Session, owner: UUID, voice_id: UUID, change: VoiceChange) -> VoiceDetail:
    """Change the fields in `change`. Raises as `changeable` does, and TransitionError."""
    voice = changeable(session, Voice, owner, voice_id)
    was_shared = is_for_everybody(voice.visibility)
    if "status" in change:
        require_transition(OF_VOICES, voice.status, change["status"])
        if change["status"] != voice.status and change["status"] == VoiceStatus.COMPLETED:
            voice.completed_at = func.now()
    for name, value in change.items():
        setattr(voice, name, value)
    session.flush()
    session.refresh(voice)
    changed = VoiceDetail.model_validate(voice)
    is_for_all = was_shared or is_for_everybody(changed.visibility)
    commit(session, Event("voice", "updated", voice_id, owner, is_for_all))
    return changed


def delete_voice(session: Session, owner: UUID, voice_id: UUID) -> None:
    """Delete a voice; recordings made with it stay. Raises as `changeable` does."""
    voice = changeable(session, Voice, owner, voice_id)
    was_shared = is_for_everybody(voice.visibility)
    session.delete(voice)
    session.flush()
    commit(session, Event("voice", "deleted", voice_id, owner, was_shared))
