"""Attempts to sign in, and generations of tokens.

Guesses at passwords are counted, and an account can end all of its tokens.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "009_3n9k"
down_revision: str | Sequence[str] | None = "008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# A new table, and a column with a default, which older code does not write.
phase = "expand"


def upgrade() -> None:
    """Take the schema to this revision."""
    op.create_table(
        "attempts",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("next_at", sa.DateTime(True), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_forgotten_at"), "attempts", ["forgotten_at"])
    op.add_column(
        "users",
        sa.Column("token_generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )


def downgrade() -> None:
    """Take the schema back to the revision before, rows included.

    The record of revoked tokens is lost. Change JWT_SECRET at the same time: otherwise revoked
    tokens are valid again until they expire. The release before does not know revocation.
    """
    op.drop_column("users", "token_generation")
    op.drop_table("attempts")
