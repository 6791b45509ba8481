"""Voice routes: a request without a token reads the shared voices."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response, status

from backend.api.authentication import TOKEN_IS_OPTIONAL, Owner
from backend.api.cached_answers import Reading, dumped, found
from backend.api.list_parameters import OnShelf, PageParameter
from backend.api.problems import answers
from backend.api.routes import Forgetting
from backend.api.writer import Writing
from backend.schemas.request_body import Sent
from backend.schemas.voices import NewVoice, VoiceChange, VoiceDetail, VoiceList
from backend.services import voices
from backend.services.cache_keys import item_key, list_key

router = APIRouter(prefix="/api/v1/voices", tags=["voices"], route_class=Forgetting)

VoiceId = Annotated[UUID, Path(description="The voice's id.")]


@router.get(
    "",
    summary="List voices",
    response_model=VoiceList,
    responses=answers(401, 422, 503),
    openapi_extra=TOKEN_IS_OPTIONAL,
)
async def list_voices(reader: Reading, page: PageParameter, shelf: OnShelf = None) -> Response:
    """Return a page of the voices that you see, newest first by default."""
    viewer = reader.viewer
    return await reader.list(
        list_key("voice", viewer, shelf, page),
        lambda session: dumped(voices.list_voices(session, viewer, shelf, page)),
    )


@router.post(
    "",
    summary="Make a voice",
    status_code=status.HTTP_201_CREATED,
    responses=answers(400, 401, 409, 422, 503),
)
async def create_voice(writer: Writing, owner: Owner, new: Sent[NewVoice]) -> VoiceDetail:
    """Create a voice of your own, which its provider is processing."""
    return await writer.write(voices.create_voice, owner, new)


@router.get(
    "/{voice_id}",
    summary="Read a voice",
    response_model=VoiceDetail,
    responses=answers(401, 404, 422, 503),
    openapi_extra=TOKEN_IS_OPTIONAL,
)
async def read_voice(reader: Reading, voice_id: VoiceId) -> Response:
    """Return a voice that you see."""
    key = item_key("voice", voice_id)
    voice = await reader.one(
        key,
        lambda session, owner: dumped(voices.own_voice(session, owner, voice_id)),
        lambda: reader.shared(key, lambda session: dumped(voices.shared_voice(session, voice_id))),
    )
    return found(voice, "voice")


@router.patch(
    "/{voice_id}",
    summary="Change a voice",
    responses=answers(400, 401, 403, 404, 409, 422, 503),
)
async def change_voice(
    writer: Writing, owner: Owner, voice_id: VoiceId, change: Sent[VoiceChange]
) -> VoiceDetail:
    """Change a voice of your own.

    Allowed changes of the status: processing to completed or failed, failed to processing.
    """
    return await writer.write(voices.change_voice, owner, voice_id, change)


@router.delete(
    "/{voice_id}",
    summary="Delete a voice",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=answers(401, 403, 404, 409, 422, 503),
)
async def delete_voice(writer: Writing, owner: Owner, voice_id: VoiceId) -> None:
    """Delete a voice of your own; recordings made with it stay."""
    await writer.write(voices.delete_voice, owner, voice_id)
