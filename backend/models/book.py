"""Books and their pages."""

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.models.base import Base, PrimaryKey, Timestamped, parent
from backend.models.enums import BookStatus, Visibility
from backend.models.titles import TITLE_WORDS

if TYPE_CHECKING:
    from backend.models.dialogue import Dialogue
    from backend.models.user import User


class Book(Timestamped, Base):
    """A storybook of one owner; everybody sees a default book."""

    __tablename__ = "books"

    id: Mapped[PrimaryKey]
    user_id: Mapped[UUID] = mapped_column(parent("users.id"), index=True)
    title: Mapped[str]
    cover_image: Mapped[str | None]
    cover_video_url: Mapped[str | None]
    genre: Mapped[str | None]
    target_age: Mapped[str | None]
    theme: Mapped[str | None]
    status: Mapped[BookStatus] = mapped_column(server_default=BookStatus.CREATING)
    is_default: Mapped[bool] = mapped_column(server_default=false())
    visibility: Mapped[Visibility] = mapped_column(server_default=Visibility.PRIVATE)

    user: Mapped["User"] = relationship(back_populates="books")
    pages: Mapped[list["Page"]] = relationship(
        back_populates="book",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="Page.sequence",
    )

    __table_args__ = (
        CheckConstraint("NOT is_default OR visibility = 'default'", name="default_visibility"),
        # Few books are default; every list for everybody reads them.
        Index("ix_books_default", "created_at", postgresql_where="is_default"),
        Index("ix_books_title_words", text(TITLE_WORDS), postgresql_using="gin"),
    )


class Page(Timestamped, Base):
    """One page of a book, at a position that no other page of the book has."""

    __tablename__ = "pages"

    id: Mapped[PrimaryKey]
    book_id: Mapped[UUID] = mapped_column(parent("books.id"))
    sequence: Mapped[int]
    image_url: Mapped[str | None]
    image_prompt: Mapped[str | None]
    video_url: Mapped[str | None]

    book: Mapped["Book"] = relationship(back_populates="pages")
    dialogues: Mapped[list["Dialogue"]] = relationship(
        back_populates="page",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="Dialogue.sequence",
    )

    # The constraint's index begins with the foreign key, so the key needs no index of its own.
    __table_args__ = (UniqueConstraint("book_id", "sequence"),)
