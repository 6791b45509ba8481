"""Visibility of books.

Books get the same visibility as voices, in place of is_public.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "006"
down_revision: str | None = "005"

# Code that still reads books.is_public fails.
phase = "contract"


def upgrade() -> None:
    op.add_column(
        "books",
        sa.Column(
            "visibility",
            postgresql.ENUM(name="visibility", create_type=False),
            server_default="private",
            nullable=False,
        ),
    )
    # The new column's default is private: only the other books are written.
    op.execute(
        """
        UPDATE books
        SET visibility = (CASE WHEN is_default THEN 'default' ELSE 'public' END)::visibility
        WHERE is_default OR is_public
        """
    )
    op.drop_column("books", "is_public")


def downgrade() -> None:
    op.add_column(
        "books", sa.Column("is_public", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    # A book may have become a default book by its visibility alone: is_default must say so now.
    op.execute(
        """
        UPDATE books
        SET is_public = visibility = 'public', is_default = is_default OR visibility = 'default'
        WHERE visibility <> 'private'
        """
    )
    op.drop_column("books", "visibility")
