"""Books as clients send them: whole, or one part at a time.

A change is a TypedDict: a key that was not sent is absent, which differs from null.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator, with_config
from typing_extensions import TypedDict

from backend.models import BookStatus, Visibility
from backend.schemas.field_types import (
    LanguageCode,
    LongText,
    Name,
    OwnVisibility,
    ProviderVoiceId,
    Seconds,
    Sequence,
    ShortText,
    Title,
    Truth,
    Url,
)
from backend.schemas.parts import RepeatedPartError, require_few_parts
from backend.schemas.request_body import EXACT, New


class NewTranslation(New):
    """The text of a dialogue in one language."""

    language_code: LanguageCode
    text: LongText
    is_primary: Truth = Field(
        default=False,
        description="Whether the author wrote this text; if none is marked, the first counts.",
    )


class NewRecording(New):
    """A recording of a dialogue in one language and one voice."""

    language_code: LanguageCode
    voice_id: ProviderVoiceId
    audio_url: Url
    duration: Seconds | None = None


class NewDialogue(New):
    """One dialogue, with its text in some languages.

    Each language comes once, with one recording per voice; a repetition is a conflict.
    """

    speaker: Name
    # The first fault in each of these lists is enough: a book may have thousands of lists.
    translations: list[NewTranslation] = Field(default=[], max_length=20, fail_fast=True)
    audios: list[NewRecording] = Field(default=[], max_length=40, fail_fast=True)

    @model_validator(mode="after")
    def _has_each_once(self) -> Self:
        languages = [it.language_code for it in self.translations]
        if len(languages) != len(set(languages)):
            raise RepeatedPartError("A language has one translation: leave the others out.")
        if sum(it.is_primary for it in self.translations) > 1:
            raise RepeatedPartError("One translation is primary: mark only one of them.")
        recordings = [(it.language_code, it.voice_id) for it in self.audios]
        if len(recordings) != len(set(recordings)):
            raise RepeatedPartError(
                "A voice has one recording in a language: leave the others out."
            )
        return self


class NewPage(New):
    """One page, with its dialogues in the order of speaking."""

    image_url: Url | None = None
    image_prompt: LongText | None = None
    video_url: Url | None = None
    dialogues: list[NewDialogue] = Field(default=[], max_length=20)


class NewBook(New):
    """A book with the pages that exist already, in their order.

    Its limit is 10,000 parts in all (pages, dialogues, translations and recordings), and
    4 MiB of text.
    """

    title: Title
    cover_image: Url | None = None
    cover_video_url: Url | None = None
    genre: ShortText | None = None
    target_age: ShortText | None = None
    theme: ShortText | None = None
    status: Literal[BookStatus.DRAFT, BookStatus.CREATING] = BookStatus.CREATING
    visibility: OwnVisibility = Visibility.PRIVATE
    pages: list[NewPage] = Field(default=[], max_length=100)

    @model_validator(mode="before")
    @classmethod
    def _is_within_size_limit(cls, sent: Any) -> Any:
        require_few_parts(sent)
        return sent


@with_config(EXACT)
class BookChange(TypedDict, total=False):
    """Changes of a book; all other fields stay."""

    title: Title
    cover_image: Url | None
    cover_video_url: Url | None
    genre: ShortText | None
    target_age: ShortText | None
    theme: ShortText | None
    status: Annotated[BookStatus, Field(description="Along the transitions that are allowed.")]
    visibility: OwnVisibility


@with_config(EXACT)
class PageChange(TypedDict, total=False):
    """Changes of a page; the new sequence must be free."""

    sequence: Sequence
    image_url: Url | None
    image_prompt: LongText | None
    video_url: Url | None


@with_config(EXACT)
class DialogueChange(TypedDict, total=False):
    """Changes of a dialogue; the new sequence must be free."""

    sequence: Sequence
    speaker: Name


class Words(New):
    """The text of a dialogue in the language of the path."""

    text: LongText
    is_primary: Truth | None = Field(
        default=None,
        description="If left out: unchanged; for a new translation, true if no other is primary.",
    )


class Recording(New):
    """The recording of a dialogue in the language and the voice of the path."""

    audio_url: Url
    duration: Seconds | None = None
