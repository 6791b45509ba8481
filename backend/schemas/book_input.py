"""Books as they are written: whole, or a part at a time.

What changes something is a TypedDict: a key that was not sent is not there, which is another thing
than null.
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
    """The words of a dialogue in one language."""

    language_code: LanguageCode
    text: LongText
    is_primary: Truth = Field(
        default=False, description="Whether these are what the author wrote; else the first are."
    )


class NewRecording(New):
    """A recording of a dialogue in one language and one voice."""

    language_code: LanguageCode
    voice_id: ProviderVoiceId
    audio_url: Url
    duration: Seconds | None = None


class NewDialogue(New):
    """One utterance, with its words in some languages.

    Each language comes once, with one recording of each voice; more is a conflict.
    """

    speaker: Name
    # One fault in each of these lists is enough: there may be thousands of lists.
    translations: list[NewTranslation] = Field(default=[], max_length=20, fail_fast=True)
    audios: list[NewRecording] = Field(default=[], max_length=40, fail_fast=True)

    @model_validator(mode="after")
    def _has_each_once(self) -> Self:
        languages = [it.language_code for it in self.translations]
        if len(languages) != len(set(languages)):
            raise RepeatedPartError("A language has one translation: leave the others out.")
        if sum(it.is_primary for it in self.translations) > 1:
            raise RepeatedPartError("One translation is primary: say so of one of them.")
        recordings = [(it.language_code, it.voice_id) for it in self.audios]
        if len(recordings) != len(set(recordings)):
            raise RepeatedPartError(
                "A voice has one recording in a language: leave the others out."
            )
        return self


class NewPage(New):
    """One page; its dialogues are spoken in the order given."""

    image_url: Url | None = None
    image_prompt: LongText | None = None
    video_url: Url | None = None
    dialogues: list[NewDialogue] = Field(default=[], max_length=20)


class NewBook(New):
    """A book, with as many of its pages as there are already, in their order.

    It has room for 10,000 parts in all (pages, dialogues, translations and recordings), and for
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
    def _has_room(cls, sent: Any) -> Any:
        require_few_parts(sent)
        return sent


@with_config(EXACT)
class BookChange(TypedDict, total=False):
    """Changes of a book; the rest stays."""

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
    """Changes of a page; its sequence must be free."""

    sequence: Sequence
    image_url: Url | None
    image_prompt: LongText | None
    video_url: Url | None


@with_config(EXACT)
class DialogueChange(TypedDict, total=False):
    """Changes of a dialogue; its sequence must be free."""

    sequence: Sequence
    speaker: Name


class Words(New):
    """The words of a dialogue in the language that the path names."""

    text: LongText
    is_primary: Truth | None = Field(
        default=None,
        description="Left out: as it was; for a new translation, true where no other is primary.",
    )


class Recording(New):
    """The recording of a dialogue in the language and the voice that the path names."""

    audio_url: Url
    duration: Seconds | None = None
