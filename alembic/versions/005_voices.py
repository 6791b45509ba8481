"""Voices.

People clone voices, and may share them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "005"
down_revision: str | None = "004"

# A new table affects no running code.
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "voices",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("provider_voice_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text()),
        sa.Column("gender", sa.Text()),
        sa.Column("preview_url", sa.Text()),
        sa.Column("category", sa.Text()),
        sa.Column(
            "visibility",
            postgresql.ENUM("private", "public", "default", name="visibility"),
            server_default="private",
            nullable=False,
        ),
        sa.Column(
            "status",
            postgresql.ENUM("processing", "completed", "failed", name="voice_status"),
            server_default="processing",
            nullable=False,
        ),
        sa.Column("completed_at", sa.DateTime(True)),
        sa.Column("meta_data", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voices")),
        sa.UniqueConstraint("provider_voice_id", name=op.f("uq_voices_provider_voice_id")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_voices_user_id_users"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_voices_user_id"), "voices", ["user_id"])


def downgrade() -> None:
    op.drop_table("voices")
    op.execute("DROP TYPE voice_status")
    op.execute("DROP TYPE visibility")
