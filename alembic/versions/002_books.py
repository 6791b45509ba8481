"""Books with pages and dialogues, and audios."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "002"
down_revision: str | None = "001"

# New tables affect no running code.
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "books",
        _id(),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("cover_image_url", sa.Text()),
        sa.Column("genre", sa.Text()),
        sa.Column("target_age", sa.Text()),
        sa.Column("theme", sa.Text()),
        sa.Column(
            "status",
            postgresql.ENUM("creating", "completed", "failed", "draft", name="book_status"),
            server_default="creating",
            nullable=False,
        ),
        sa.Column("is_default", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_public", sa.Boolean(), server_default=sa.false(), nullable=False),
        *_timestamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_books")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_books_user_id_users"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_books_user_id"), "books", ["user_id"])
    op.create_table(
        "pages",
        _id(),
        sa.Column("book_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("image_url", sa.Text()),
        sa.Column("image_prompt", sa.Text()),
        *_timestamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pages")),
        sa.UniqueConstraint("book_id", "sequence", name=op.f("uq_pages_book_id_sequence")),
        sa.ForeignKeyConstraint(
            ["book_id"], ["books.id"], name=op.f("fk_pages_book_id_books"), ondelete="CASCADE"
        ),
    )
    op.create_table(
        "dialogues",
        _id(),
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("speaker", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        *_timestamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dialogues")),
        sa.UniqueConstraint("page_id", "sequence", name=op.f("uq_dialogues_page_id_sequence")),
        sa.ForeignKeyConstraint(
            ["page_id"], ["pages.id"], name=op.f("fk_dialogues_page_id_pages"), ondelete="CASCADE"
        ),
    )
    op.create_table(
        "audios",
        _id(),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("file_url", sa.Text(), nullable=False),
        sa.Column("file_path", sa.Text()),
        sa.Column("duration", sa.Double()),
        sa.Column("file_size", sa.BigInteger()),
        sa.Column("mime_type", sa.Text()),
        sa.Column("text_content", sa.Text()),
        sa.Column("voice_id", sa.Text()),
        sa.Column("provider", sa.Text()),
        sa.Column("meta_data", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        *_timestamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audios")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_audios_user_id_users"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_audios_user_id"), "audios", ["user_id"])


def downgrade() -> None:
    op.drop_table("audios")
    op.drop_table("dialogues")
    op.drop_table("pages")
    op.drop_table("books")
    op.execute("DROP TYPE book_status")


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)


def _timestamps() -> list[sa.Column[object]]:
    return [
        sa.Column(name, sa.DateTime(True), server_default=sa.func.now(), nullable=False)
        for name in ("created_at", "updated_at")
    ]
