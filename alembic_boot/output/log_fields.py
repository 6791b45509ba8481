"""The fields of the log's lines about a boot: programs read them in JSON, text has none."""

from typing import Any, Literal

from alembic_boot.errors import BootError

Event = Literal[
    "waiting",
    "database_ready",
    "migrating",
    "waiting_for_starter",
    "running",
    "blocked",
    "blocking",
    "unblocked",
    "applied",
    "reverted",
    "ran",
    "checking",
    "migrated",
    "schema",
    "seeding",
    "seeded",
    "started",
    "serving",
    "failed",
]
"""The events. docs/operations.md has a table of them."""


def fields(
    event: Event, *, seconds: float | None = None, label: str | None = None, **others: object
) -> dict[str, Any]:
    """Return the fields of a line, as logging's `extra` has them; those that are None are left out.

    `seconds` becomes `duration_ms`. `label` is a revision's id with its title, and becomes
    `revision`, the id alone.
    """
    found = {
        "event": event,
        "revision": None if label is None else label.split(" ", 1)[0],
        "duration_ms": None if seconds is None else round(seconds * 1000),
        **others,
    }
    return {name: value for name, value in found.items() if value is not None}


def failure_fields(error: BootError) -> dict[str, Any]:
    """Return the fields of the line about a failure."""
    return fields("failed", error=type(error).__name__, exit_status=error.exit_status)
