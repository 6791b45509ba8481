"""The dialogues of a page: speakers, texts in several languages, and recordings."""

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.models.base import Base, PrimaryKey, Timestamped, parent

if TYPE_CHECKING:
    from backend.models.book import Page


class Dialogue(Timestamped, Base):
    """One utterance on a page; its texts are its translations."""

    __tablename__ = "dialogues"

    id: Mapped[PrimaryKey]
    page_id: Mapped[UUID] = mapped_column(parent("pages.id"))
    sequence: Mapped[int]
    speaker: Mapped[str]

    page: Mapped["Page"] = relationship(back_populates="dialogues")
    translations: Mapped[list["DialogueTranslation"]] = relationship(
        back_populates="dialogue",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="DialogueTranslation.language_code",
    )
    audios: Mapped[list["DialogueAudio"]] = relationship(
        back_populates="dialogue",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="(DialogueAudio.language_code, DialogueAudio.voice_id)",
    )

    __table_args__ = (UniqueConstraint("page_id", "sequence"),)


class DialogueTranslation(Timestamped, Base):
    """The text of a dialogue in one language; the author wrote the primary text."""

    __tablename__ = "dialogue_translations"

    id: Mapped[PrimaryKey]
    dialogue_id: Mapped[UUID] = mapped_column(parent("dialogues.id"))
    # For lists of books with a text in a language, of which there may be few.
    language_code: Mapped[str] = mapped_column(index=True)
    text: Mapped[str]
    is_primary: Mapped[bool] = mapped_column(server_default=false())

    dialogue: Mapped["Dialogue"] = relationship(back_populates="translations")

    __table_args__ = (UniqueConstraint("dialogue_id", "language_code"),)


class DialogueAudio(Timestamped, Base):
    """A recording of a dialogue in one language and one voice; its duration is in seconds."""

    __tablename__ = "dialogue_audios"

    id: Mapped[PrimaryKey]
    dialogue_id: Mapped[UUID] = mapped_column(parent("dialogues.id"))
    language_code: Mapped[str]
    # The provider's id: a voice may be the provider's own, without a row in our table.
    voice_id: Mapped[str]
    audio_url: Mapped[str]
    duration: Mapped[float | None]

    dialogue: Mapped["Dialogue"] = relationship(back_populates="audios")

    __table_args__ = (UniqueConstraint("dialogue_id", "language_code", "voice_id"),)
