"""Write and delete the translations and recordings of a dialogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session, raiseload

from backend.models import DialogueAudio, DialogueTranslation
from backend.schemas.book_input import Recording, Words
from backend.schemas.books import DialogueRecording, Translation
from backend.services.book_size_limit import require_within_size_limit
from backend.services.errors import NotFoundError
from backend.services.pages import OwnBook, dialogue_of, finish


@dataclass(frozen=True)
class RecordingKey:
    """The key of a recording within its dialogue."""

    language_code: str
    voice_id: str


def put_translation(
    session: Session, own: OwnBook, dialogue_id: UUID, language: str, words: Words
) -> Translation:
    """Write the text of a dialogue in a language, in place of an existing one.

    A dialogue has at most one primary translation. If this translation becomes primary, the other
    one no longer is. A new translation is primary if no other is.
    """
    book = own.locked(session)
    dialogue = dialogue_of(session, own.id, dialogue_id)
    rows = _translations(session, dialogue.id)
    row = next((it for it in rows if it.language_code == language), None)
    if row is None:
        row = DialogueTranslation(
            id=uuid4(),
            dialogue_id=dialogue.id,
            language_code=language,
            is_primary=not any(it.is_primary for it in rows),
        )
        session.add(row)
    row.text = words.text
    if words.is_primary is not None:
        row.is_primary = words.is_primary
    if row.is_primary:
        for other in rows:
            other.is_primary = other is row
    session.flush()
    require_within_size_limit(session, own.id)
    translation = Translation.model_validate(row)
    finish(session, book)
    return translation


def delete_translation(session: Session, own: OwnBook, dialogue_id: UUID, language: str) -> None:
    """Delete the text of a dialogue in a language.

    If the text was primary, the oldest of the others becomes primary.
    """
    book = own.locked(session)
    rows = _translations(session, dialogue_of(session, own.id, dialogue_id).id)
    row = next((it for it in rows if it.language_code == language), None)
    if row is None:
        raise NotFoundError("There is no translation into this language.")
    others = [it for it in rows if it is not row]
    if row.is_primary and others:
        others[0].is_primary = True
    session.delete(row)
    finish(session, book)


def put_recording(
    session: Session,
    own: OwnBook,
    dialogue_id: UUID,
    key: RecordingKey,
    recording: Recording,
) -> DialogueRecording:
    """Write the recording of a dialogue in a language and a voice."""
    book = own.locked(session)
    row = _recording(session, dialogue_of(session, own.id, dialogue_id).id, key)
    if row is None:
        row = DialogueAudio(
            id=uuid4(),
            dialogue_id=dialogue_id,
            language_code=key.language_code,
            voice_id=key.voice_id,
        )
        session.add(row)
    row.audio_url, row.duration = recording.audio_url, recording.duration
    session.flush()
    require_within_size_limit(session, own.id)
    detail = DialogueRecording.model_validate(row)
    finish(session, book)
    return detail


def delete_recording(session: Session, own: OwnBook, dialogue_id: UUID, key: RecordingKey) -> None:
    """Delete the recording of a dialogue in a language and a voice."""
    book = own.locked(session)
    row = _recording(session, dialogue_of(session, own.id, dialogue_id).id, key)
    if row is None:
        raise NotFoundError("There is no recording in this language and voice.")
    session.delete(row)
    finish(session, book)


def _translations(session: Session, dialogue_id: UUID) -> Sequence[DialogueTranslation]:
    """Return the translations of a dialogue, oldest first; those of one moment by language."""
    return session.scalars(
        select(DialogueTranslation)
        .where(DialogueTranslation.dialogue_id == dialogue_id)
        .order_by(DialogueTranslation.created_at, DialogueTranslation.language_code)
        .options(raiseload("*"))
    ).all()


def _recording(session: Session, dialogue_id: UUID, key: RecordingKey) -> DialogueAudio | None:
    return session.scalar(
        select(DialogueAudio)
        .where(
            DialogueAudio.dialogue_id == dialogue_id,
            DialogueAudio.language_code == key.language_code,
            DialogueAudio.voice_id == key.voice_id,
        )
        .options(raiseload("*"))
    )
