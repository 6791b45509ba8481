"""Find books by title and language.

Lists of books are searched by the words of their titles, and by their languages.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "010_x3rd"
down_revision: str | Sequence[str] | None = "009_3n9k"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Indexes, which PostgreSQL updates for older code, too. They are not built concurrently: this
# history has to run through a pooler as well. Writers wait for an index; readers do not.
phase = "expand"

# In scripts without spaces each character is a word; ASCII punctuation separates words.
_SEPARATED = (
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff])"
    r"|[\u0021-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007e]"
)


def upgrade() -> None:
    """Take the schema to this revision."""
    op.create_index(
        "ix_books_title_words",
        "books",
        [sa.text(f"to_tsvector('simple', regexp_replace(title, '{_SEPARATED}', ' \\1 ', 'g'))")],
        postgresql_using="gin",
    )
    op.create_index(
        op.f("ix_dialogue_translations_language_code"),
        "dialogue_translations",
        ["language_code"],
    )


def downgrade() -> None:
    """Take the schema back to the revision before, rows included."""
    op.drop_index(op.f("ix_dialogue_translations_language_code"), "dialogue_translations")
    op.drop_index("ix_books_title_words", "books")
