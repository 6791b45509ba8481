"""${docstring(message)}."""
<%!
    import json

    def literal(value):
        return "None" if value is None else json.dumps(value)

    def docstring(text):
        return text.rstrip(".").replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
%>
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
${imports + "\n" if imports else ""}
revision: str = ${literal(up_revision)}
down_revision: str | Sequence[str] | None = ${literal(down_revision)}
branch_labels: str | Sequence[str] | None = ${literal(branch_labels)}
depends_on: str | Sequence[str] | None = ${literal(depends_on)}

% if isinstance(down_revision, (list, tuple)) and not upgrades:
# It joins branches and changes nothing, so the code released before works on it.
phase = "expand"
% else:
# Decide: "expand" if the code released before this revision still works on the schema it makes
# (a new table, a new nullable column); "contract" if it does not (something dropped, renamed or
# narrowed). In doubt it is "contract".
phase = "contract"
% endif


def upgrade() -> None:
    """Take the schema to this revision."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Take the schema back to the revision before, rows included."""
    ${downgrades if downgrades else "pass"}
