"""add note"""

import sqlalchemy as sa
from alembic import op

revision = "6f5e4d3c2b1a"
down_revision = "1a2b3c4d5e6f"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("account", sa.Column("note", sa.String(length=200), nullable=True))


def downgrade():
    op.drop_column("account", "note")
