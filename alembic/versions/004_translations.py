"""Translations and audio of dialogues.

Dialogues support several languages: their text moves into translations, and audio is stored beside
it.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "004"
down_revision: str | None = "003"

# Code that still reads dialogues.text fails.
phase = "contract"


def upgrade() -> None:
    op.create_table(
        "dialogue_translations",
        _id(),
        sa.Column("dialogue_id", sa.Uuid(), nullable=False),
        sa.Column("language_code", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), server_default=sa.false(), nullable=False),
        *_timestamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dialogue_translations")),
        sa.UniqueConstraint(
            "dialogue_id",
            "language_code",
            name=op.f("uq_dialogue_translations_dialogue_id_language_code"),
        ),
        sa.ForeignKeyConstraint(
            ["dialogue_id"],
            ["dialogues.id"],
            name=op.f("fk_dialogue_translations_dialogue_id_dialogues"),
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "dialogue_audios",
        _id(),
        sa.Column("dialogue_id", sa.Uuid(), nullable=False),
        sa.Column("language_code", sa.Text(), nullable=False),
        sa.Column("voice_id", sa.Text(), nullable=False),
        sa.Column("audio_url", sa.Text(), nullable=False),
        sa.Column("duration", sa.Double()),
        *_timestamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dialogue_audios")),
        sa.UniqueConstraint(
            "dialogue_id",
            "language_code",
            "voice_id",
            name=op.f("uq_dialogue_audios_dialogue_id_language_code_voice_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dialogue_id"],
            ["dialogues.id"],
            name=op.f("fk_dialogue_audios_dialogue_id_dialogues"),
            ondelete="CASCADE",
        ),
    )
    # Until now every text was English. An empty text is no translation.
    op.execute(
        """
        INSERT INTO dialogue_translations
            (dialogue_id, language_code, text, is_primary, created_at, updated_at)
        SELECT id, 'en', text, true, created_at, updated_at
        FROM dialogues
        WHERE text <> ''
        """
    )
    op.drop_column("dialogues", "text")


def downgrade() -> None:
    op.add_column("dialogues", sa.Column("text", sa.Text()))
    # Only one language fits: the primary text, else the oldest.
    op.execute(
        """
        UPDATE dialogues
        SET text = coalesce(
            (
                SELECT translation.text
                FROM dialogue_translations AS translation
                WHERE translation.dialogue_id = dialogues.id
                ORDER BY
                    translation.is_primary DESC, translation.created_at, translation.language_code
                LIMIT 1
            ),
            ''
        )
        """
    )
    op.alter_column("dialogues", "text", nullable=False)
    op.drop_table("dialogue_audios")
    op.drop_table("dialogue_translations")


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)


def _timestamps() -> list[sa.Column[object]]:
    return [
        sa.Column(name, sa.DateTime(True), server_default=sa.func.now(), nullable=False)
        for name in ("created_at", "updated_at")
    ]
