"""Shared default books.

Everybody sees them: a check makes them visible, and an index finds them.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "007"
down_revision: str | None = "006"

# Code that sets is_default without the visibility fails now.
phase = "contract"


def upgrade() -> None:
    op.create_check_constraint(
        op.f("ck_books_default_visibility"), "books", "NOT is_default OR visibility = 'default'"
    )
    op.create_index(
        op.f("ix_books_default"),
        "books",
        ["created_at"],
        postgresql_where=sa.text("is_default"),
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_books_default"), "books")
    op.drop_constraint(op.f("ck_books_default_visibility"), "books", type_="check")
