"""Books in answers."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.models import BookStatus, Visibility


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


class Translation(_FromRow):
    """The text of a dialogue in one language."""

    language_code: str = Field(examples=["en"])
    text: str
    is_primary: bool = Field(description="Whether the author wrote this text.")


class DialogueRecording(_FromRow):
    """A recording of a dialogue in one language and one voice."""

    language_code: str = Field(examples=["en"])
    voice_id: str = Field(description="The voice's id at its provider.")
    audio_url: str
    duration: float | None = Field(description="Seconds.")


class DialogueDetail(_FromRow):
    """One dialogue of a page; translations by language, audios by language and voice."""

    id: UUID
    sequence: int
    speaker: str = Field(examples=["Narrator"])
    translations: list[Translation]
    audios: list[DialogueRecording]


class PageDetail(_FromRow):
    """One page of a book, with its dialogues in the order of speaking."""

    id: UUID
    sequence: int
    image_url: str | None
    image_prompt: str | None = Field(description="What the picture shows.")
    video_url: str | None
    dialogues: list[DialogueDetail]


class BookSummary(_FromRow):
    """A book in a list."""

    id: UUID
    title: str = Field(examples=["My Playground Day"])
    cover_image: str | None
    cover_video_url: str | None
    genre: str | None
    target_age: str | None = Field(examples=["3-5"])
    theme: str | None
    status: BookStatus
    visibility: Visibility
    created_at: datetime
    updated_at: datetime


class BookDetail(BookSummary):
    """A whole book with all of its pages, in order."""

    pages: list[PageDetail]


class BookList(BaseModel):
    """A page of the list of books, in the requested order."""

    model_config = ConfigDict(frozen=True)

    items: list[BookSummary]
    next_cursor: str | None = Field(
        description="Cursor of the next page; null if this page is the last."
    )
