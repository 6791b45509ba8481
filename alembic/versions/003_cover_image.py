"""Rename cover_image_url to cover_image.

A cover may be a path as well as a URL.
"""

from alembic import op

revision: str = "003"
down_revision: str | None = "002"

# Code that still uses cover_image_url fails.
phase = "contract"


def upgrade() -> None:
    op.alter_column("books", "cover_image_url", new_column_name="cover_image")


def downgrade() -> None:
    op.alter_column("books", "cover_image", new_column_name="cover_image_url")
