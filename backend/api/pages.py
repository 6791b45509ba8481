"""Routes for the parts of a book; only its owner writes them, one at a time."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, status

from backend.api.authentication import Owner
from backend.api.books import BookId
from backend.api.problems import answers
from backend.api.routes import Forgetting
from backend.api.writer import Writing
from backend.schemas.book_input import (
    DialogueChange,
    NewDialogue,
    NewPage,
    PageChange,
    Recording,
    Words,
)
from backend.schemas.books import DialogueDetail, DialogueRecording, PageDetail, Translation
from backend.schemas.field_types import LanguageCode, ProviderVoiceId
from backend.schemas.request_body import Sent
from backend.services import dialogue_texts, pages
from backend.services.dialogue_texts import RecordingKey
from backend.services.pages import OwnBook

router = APIRouter(
    prefix="/api/v1/books/{book_id}",
    tags=["pages"],
    route_class=Forgetting,
    responses=answers(401, 403, 404, 409, 422, 503),
)

PageId = Annotated[UUID, Path(description="The page's id.")]
DialogueId = Annotated[UUID, Path(description="The dialogue's id.")]


async def _own(owner: Owner, book_id: BookId) -> OwnBook:
    return OwnBook(owner, book_id)


async def _key(language_code: LanguageCode, voice_id: ProviderVoiceId) -> RecordingKey:
    return RecordingKey(language_code, voice_id)


Own = Annotated[OwnBook, Depends(_own)]
Key = Annotated[RecordingKey, Depends(_key)]


@router.post(
    "/pages",
    summary="Add a page",
    status_code=status.HTTP_201_CREATED,
    responses=answers(400),
)
async def add_page(writer: Writing, own: Own, new: Sent[NewPage]) -> PageDetail:
    """Add a page after the last one, with its dialogues if you send any."""
    return await writer.write(pages.add_page, own, new)


@router.patch("/pages/{page_id}", summary="Change a page", responses=answers(400))
async def change_page(
    writer: Writing, own: Own, page_id: PageId, change: Sent[PageChange]
) -> PageDetail:
    """Change a page, or move it to a free position."""
    return await writer.write(pages.change_page, own, page_id, change)


@router.delete("/pages/{page_id}", summary="Delete a page", status_code=status.HTTP_204_NO_CONTENT)
async def delete_page(writer: Writing, own: Own, page_id: PageId) -> None:
    """Delete a page; the other pages keep their positions."""
    await writer.write(pages.delete_page, own, page_id)


@router.post(
    "/pages/{page_id}/dialogues",
    summary="Add a dialogue",
    status_code=status.HTTP_201_CREATED,
    responses=answers(400),
)
async def add_dialogue(
    writer: Writing, own: Own, page_id: PageId, new: Sent[NewDialogue]
) -> DialogueDetail:
    """Add a dialogue after the last one of a page."""
    return await writer.write(pages.add_dialogue, own, page_id, new)


@router.patch("/dialogues/{dialogue_id}", summary="Change a dialogue", responses=answers(400))
async def change_dialogue(
    writer: Writing,
    own: Own,
    dialogue_id: DialogueId,
    change: Sent[DialogueChange],
) -> DialogueDetail:
    """Change the speaker, or move the dialogue to a free position of its page."""
    return await writer.write(pages.change_dialogue, own, dialogue_id, change)


@router.delete(
    "/dialogues/{dialogue_id}",
    summary="Delete a dialogue",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def delete_dialogue(writer: Writing, own: Own, dialogue_id: DialogueId) -> None:
    """Delete a dialogue in all languages; the other dialogues keep their positions."""
    await writer.write(pages.delete_dialogue, own, dialogue_id)


@router.put(
    "/dialogues/{dialogue_id}/translations/{language_code}",
    summary="Write a translation",
    responses=answers(400),
)
async def put_translation(
    writer: Writing,
    own: Own,
    dialogue_id: DialogueId,
    language_code: LanguageCode,
    given: Sent[Words],
) -> Translation:
    """Write the text of a dialogue in a language, in place of an existing one."""
    return await writer.write(
        dialogue_texts.put_translation, own, dialogue_id, language_code, given
    )


@router.delete(
    "/dialogues/{dialogue_id}/translations/{language_code}",
    summary="Delete a translation",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def delete_translation(
    writer: Writing,
    own: Own,
    dialogue_id: DialogueId,
    language_code: LanguageCode,
) -> None:
    """Delete the text of a dialogue in a language."""
    await writer.write(dialogue_texts.delete_translation, own, dialogue_id, language_code)


@router.put(
    "/dialogues/{dialogue_id}/audios/{language_code}/{voice_id}",
    summary="Write a recording",
    responses=answers(400),
)
async def put_recording(
    writer: Writing,
    own: Own,
    dialogue_id: DialogueId,
    key: Key,
    given: Sent[Recording],
) -> DialogueRecording:
    """Write the recording of a dialogue in a language and a voice, in place of an existing one."""
    return await writer.write(dialogue_texts.put_recording, own, dialogue_id, key, given)


@router.delete(
    "/dialogues/{dialogue_id}/audios/{language_code}/{voice_id}",
    summary="Delete a recording",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def delete_recording(
    writer: Writing,
    own: Own,
    dialogue_id: DialogueId,
    key: Key,
) -> None:
    """Delete the recording of a dialogue in a language and a voice."""
    await writer.write(dialogue_texts.delete_recording, own, dialogue_id, key)
