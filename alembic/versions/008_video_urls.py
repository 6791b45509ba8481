"""Video URLs of books and pages.

Covers and pages may be videos.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "008"
down_revision: str | None = "007"

# Nullable columns, which older code leaves empty.
phase = "expand"


def upgrade() -> None:
    op.add_column("books", sa.Column("cover_video_url", sa.Text()))
    op.add_column("pages", sa.Column("video_url", sa.Text()))


def downgrade() -> None:
    op.drop_column("pages", "video_url")
    op.drop_column("books", "cover_video_url")
