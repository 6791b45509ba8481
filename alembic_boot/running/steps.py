"""Steps: what the loop runs and records, one after another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alembic.runtime.migration import (
    HeadMaintainer,
    MigrationContext,
    MigrationInfo,
    RevisionStep,
    StampStep,
)
from alembic.script.revision import RevisionMap

from alembic_boot.private_names import execute, version_table
from alembic_boot.state.journal import Direction
from alembic_boot.state.journal_queries import BASE

Moves = tuple[tuple[str, Direction], ...]

Rows = tuple[str, ...]
"""The revisions in the version table."""


@dataclass(frozen=True)
class AlembicStep:
    """A step as Alembic makes it: an upgrade, a downgrade, or a stamp."""

    step: RevisionStep | StampStep
    stands_on: Mapping[str, Rows] = field(default_factory=dict)
    """The revisions below, if the database has others there than the revision's file says."""

    @property
    def moves(self) -> Moves:
        """The revision that runs, or those that are stamped."""
        if isinstance(self.step, RevisionStep):
            direction = Direction.UPGRADE if self.step.is_upgrade else Direction.DOWNGRADE
            return ((self.step.revision.revision, direction),)
        return tuple((it, Direction.STAMP) for it in self.step.to_revisions_no_deps)

    @property
    def info(self) -> MigrationInfo:
        """The step as env.py's `on_version_apply` gets it."""
        return self.step.info

    def run(self, **arguments: Any) -> None:
        """Run `upgrade()` or `downgrade()`; a stamp runs nothing."""
        self.step.migration_fn(**arguments)

    def replacement(self, context: MigrationContext, rows: Rows) -> tuple[str, str] | None:
        """Return the one row that the step replaces, and by what; None if it does anything else.

        None if the project has added columns to the version table: Alembic fills those.
        """
        step, heads = self.step, set(rows)
        if len(rows) != 1 or len(version_table(context).c) != 1:
            return None
        if (
            step.should_delete_branch(heads)
            or step.should_create_branch(heads)
            or step.should_merge_branches(heads)
            or step.should_unmerge_branches(heads)
        ):
            return None
        return step.update_version_num(heads)

    def record(self, context: MigrationContext, rows: Rows) -> Rows:
        """Move the version table on from these rows, and return the new ones.

        Each try gets a new maintainer, because it remembers rows.
        """
        maintainer = HeadMaintainer(context, rows)
        maintainer.update_to_step(self.step)
        return tuple(maintainer.heads)

    def __str__(self) -> str:
        return str(self.step)


@dataclass(frozen=True)
class Recording:
    """Replace all rows of the version table at once, and run nothing.

    Alembic's own steps follow a history from row to row. They cannot replace a revision that the
    history does not have, nor record two branches at once.
    """

    revisions: Rows
    """The rows afterwards."""
    confirmed: Rows = ()
    """Revisions below these: from now on, the database counts as made by the files on disk."""
    stands_on: Mapping[str, Rows] = field(default_factory=dict)
    revision_map: RevisionMap | None = None

    @property
    def moves(self) -> Moves:
        """A stamp for each revision, or of base."""
        stamped = self.revisions or (BASE,)
        return tuple((it, Direction.STAMP) for it in (*self.confirmed, *stamped))

    @property
    def info(self) -> MigrationInfo:
        """A stamp of these rows."""
        info: MigrationInfo = StampStep((), self.revisions, True, True, self.revision_map).info
        return info

    def run(self, **_arguments: Any) -> None:
        """Run nothing."""

    def replacement(self, _context: MigrationContext, _rows: Rows) -> tuple[str, str] | None:
        """Return None: any number of rows may be replaced."""
        return None

    def record(self, context: MigrationContext, rows: Rows) -> Rows:  # noqa: ARG002
        """Replace the rows."""
        table = version_table(context)
        execute(context, table.delete())
        for revision in self.revisions:
            execute(context, table.insert().values(version_num=revision))
        return self.revisions

    def __str__(self) -> str:
        return f"stamp {', '.join(self.revisions) or BASE}"


Step = AlembicStep | Recording
"""One entry of a plan."""

Steps = Callable[[Rows], Sequence[Step]]
"""Gives the steps from the rows that the version table has."""
