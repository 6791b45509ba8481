"""The output of `status` for people."""

import pytest

from alembic_boot.commands import as_typed
from alembic_boot.errors import BootError, SchemaUnmanagedError
from alembic_boot.history.history import Target
from alembic_boot.migration.status import Status
from alembic_boot.state.inspection import Inspection, SchemaState

MIGRATE, ADOPT = as_typed("migrate"), as_typed("adopt --dry-run")


@pytest.mark.parametrize(
    ("state", "pending", "refusal", "line"),
    [
        (SchemaState.EMPTY, ("a1", "b2"), None, f"`{MIGRATE}` applies 2 revisions"),
        (SchemaState.BEHIND, ("b2",), None, f"`{MIGRATE}` applies 1 revision"),
        (SchemaState.UNMANAGED, (), None, f"`{ADOPT}` shows which revision it is"),
        (SchemaState.EMPTY, (), None, None),  # the target is base
        (SchemaState.CURRENT, (), None, None),
        (SchemaState.BEHIND, (), SchemaUnmanagedError("No.", "Do that."), None),
    ],
)
def test_the_next_command(
    state: SchemaState, pending: tuple[str, ...], refusal: BootError | None, line: str | None
) -> None:
    """It is named if there is a usual one, and if it would not be refused."""
    inspection = Inspection(state, (), Target("head", ("b2",)), ("b2",), pending, (), (), ())
    status = Status("postgresql://h/d", inspection, "18.4", [], {}, pending, refusal)
    found = [it for it in status.as_text().splitlines() if it.startswith("next")]
    assert found == ([f"next      {line}"] if line else [])
