"""add note"""

import sqlalchemy as sa
from alembic import op

revision = "b6f5e4d3c2b1"
down_revision = "b1a2b3c4d5e6"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("invoice", sa.Column("note", sa.String(length=200), nullable=True))


def downgrade():
    op.drop_column("invoice", "note")
