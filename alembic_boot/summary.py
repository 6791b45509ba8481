"""The summary of a start: what it did to the schema and the data."""

from alembic_boot.state.inspection import SchemaState
from alembic_boot.state.plan import Action, Plan


def summary(plan: Plan, state: SchemaState, rows: int | None) -> str:
    """Return what a start did, from its plan, the state it reached and the rows it seeded."""
    parts = [_schema(plan, state)]
    if rows:
        parts.append(f"seeded {_counted(rows, 'row')}")
    return ", ".join(parts)


def _schema(plan: Plan, state: SchemaState) -> str:
    match plan.action:
        case Action.UPGRADE:
            return f"applied {_counted(len(plan.steps), 'revision')}"
        case Action.DOWNGRADE:
            return f"reverted {_counted(len(plan.steps), 'revision')}"
        case _:
            return f"schema was {state.value}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
