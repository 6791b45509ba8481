"""The target of the schema: known from the boot, or read once from the history on disk."""

from alembic_boot.description import BootDescription
from alembic_boot.history.history import History, Target, resolve_target
from alembic_boot.serving.handover import Reached, reached
from alembic_boot.state.edits import agreed_digest
from alembic_boot.state.inspection import (
    DatabaseFacts,
    Inspection,
    SchemaState,
    at_target,
    inspect,
)


class SchemaTarget:
    """The target, with which the facts about a database are compared.

    The history on disk is read at most once, and only if the boot's facts do not decide. When the
    schema is seen at the target, that is remembered like a fact of the boot.
    """

    def __init__(self, description: BootDescription) -> None:
        self._description = description
        self._reached = reached(description)
        self._read: tuple[History, Target] | None = None

    def forget(self) -> None:
        """Read the history on disk again at the next check, and forget the boot's facts."""
        self._reached = None
        self._read = None

    def agreed(self, current: tuple[str, ...]) -> str | None:
        """Return the digest of a journal that agrees with the files; None if not known."""
        known = self._reached
        if known is not None and current == known.rows:
            return known.digest
        return None if self._read is None else agreed_digest(current, self._read[0])

    def inspect(self, facts: DatabaseFacts) -> Inspection:
        """Return the state of the schema. Raises BootError if files or journal cannot be read.

        Imports Alembic if the history has to be read.
        """
        known = self._reached
        if known is not None and known.is_still_true_of(facts):
            return at_target(facts, known.target, known.heads)
        if self._read is None:
            self._read = self._from_disk()
        history, target = self._read
        inspection = inspect(facts, history, target)
        if inspection.state is SchemaState.CURRENT:
            self._reached = Reached(facts.current, target, history.heads, facts.digest)
        return inspection

    def _from_disk(self) -> tuple[History, Target]:
        from alembic_boot.environment.opening import open_project

        boot = self._description
        history = open_project(boot.alembic_config, boot.migration_database_url).history
        policy = boot.schema
        return history, resolve_target(history, policy.target, rollback=policy.rollback)
