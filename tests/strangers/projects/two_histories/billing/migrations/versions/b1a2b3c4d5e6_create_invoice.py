"""create invoice"""

import sqlalchemy as sa
from alembic import op

revision = "b1a2b3c4d5e6"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "invoice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade():
    op.drop_table("invoice")
