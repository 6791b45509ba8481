"""Alembic's step that records revisions without running them; it replaces all rows."""

from collections.abc import Mapping
from typing import Any

from alembic.runtime.migration import MigrationContext, StampStep


class RecordStep(StampStep):
    """A step after which the version table has these rows and no others, in one transaction.

    Alembic's own steps follow a history from row to row. They cannot replace a revision that the
    history does not have, nor record two branches at once.
    """

    def __init__(
        self,
        context: MigrationContext,
        revisions: tuple[str, ...],
        confirmed: tuple[str, ...],
        stands_on: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Record `revisions` instead of all that is there.

        `confirmed` are revisions below whose files are, from now on, those that the database was
        made by. `stands_on` has, for the journal, what is below a revision and not in its file:
        what this history does not have any more.
        """
        scripts = context.script
        revision_map = None if scripts is None else scripts.revision_map
        super().__init__(
            (), revisions, is_upgrade=True, branch_move=True, revision_map=revision_map
        )
        self.stands_on = stands_on
        self.confirmed = confirmed
        self._context = context
        self.migration_fn = self._replace_rows

    def _replace_rows(self, **_arguments: Any) -> None:
        table = self._context._version
        self._context.impl._exec(table.delete())
        for revision in self.to_[1:]:
            self._context.impl._exec(table.insert().values(version_num=revision))

    @property
    def insert_version_num(self) -> str:
        """The row that Alembic itself writes, after the others."""
        return self.to_[0]

    def should_delete_branch(self, heads: set[str]) -> bool:
        """Return False; Alembic's own note of the rows is as empty as the table by now."""
        heads.clear()
        return False

    def should_create_branch(self, heads: set[str]) -> bool:
        """Return True: the last row is inserted."""
        return not heads
