"""Where the schema is, as Alembic notes it for itself while it runs the steps."""

from typing import Any

from alembic.runtime.migration import MigrationStep


class Heads:
    """The note as it was before a step, which Alembic changes before the database has moved.

    It hands the note itself to the step, and to nobody else.
    """

    def __init__(self, step: MigrationStep) -> None:
        self._now: set[str] = set()
        self._before: set[str] = set()
        asked: Any = step
        should_delete_branch = asked.should_delete_branch

        def noting(heads: set[str]) -> Any:
            self._now, self._before = heads, set(heads)
            return should_delete_branch(heads)

        asked.should_delete_branch = noting

    def restore(self) -> None:
        """Have Alembic take the step again as if it had not yet."""
        self._now.clear()
        self._now.update(self._before)
