"""add note"""

import sqlalchemy as sa
from alembic import op

revision = "c6f5e4d3c2b1"
down_revision = "c1a2b3c4d5e6"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("book", sa.Column("note", sa.String(length=200), nullable=True))


def downgrade():
    op.drop_column("book", "note")
