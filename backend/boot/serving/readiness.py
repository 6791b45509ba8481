"""Whether the schema is what this release needs: for the application to ask while it serves."""

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from backend.boot.commands import as_typed
from backend.boot.description import BootDescription
from backend.boot.environment.version_table import VersionTable
from backend.boot.errors import BootError
from backend.boot.postgres.connection import connected, one_line
from backend.boot.revisions.history import History, Target, resolve_target
from backend.boot.serving.handover import boot_differences, boot_failure, reached
from backend.boot.serving.handover import version_table as handed_over_table
from backend.boot.serving.statements import Statements
from backend.boot.state.edits import replaced_revisions, with_replaced
from backend.boot.state.facts import read_facts
from backend.boot.state.inspection import Inspection, at_target, inspect
from backend.boot.state.plan import Action, Plan, decide

_CONNECT_TIMEOUT = 1.5
"""Seconds."""

_STATEMENT_TIMEOUT = 500
"""Milliseconds: two statements and the connection stay under the three seconds probes wait."""

_SILENCE = 0.75
"""Seconds that a server has to answer a statement which does not keep to that."""


@dataclass(frozen=True)
class Readiness:
    """The answer to a probe. `reason` is a sentence for whoever operates the service."""

    ready: bool
    state: str | None = None
    current: tuple[str, ...] = ()
    target: str | None = None
    reason: str | None = None


class ReadinessProbe:
    """Looks at the database at every check, so that it notices what others changed there.

    Thread-safe. The history on disk is read once, and in development again when requests fail:
    a revision may have been written meanwhile.
    """

    def __init__(
        self,
        description: BootDescription,
        version_table: VersionTable | None = None,
        needed: Iterable[str] = (),
    ) -> None:
        """`needed` are statements that the schema has to fit: they are planned, and not run."""
        self._description = description
        self._statements = Statements(needed)
        self._version_table = version_table or handed_over_table() or VersionTable()
        self._reached = reached()
        self._has_been_ready = False
        self._failed_at: tuple[str, ...] | None = None
        """Where the schema was at the first look after a boot that failed."""
        self._last: tuple[float, Readiness] | None = None

    def check(self) -> Readiness:
        """Return whether the schema is at its target, and if not, why; never raises for that."""
        found = self._check()
        self._last = (time.monotonic(), found)
        return found

    def last(self, within: float = math.inf) -> Readiness | None:
        """Return what the last check found, if it was in the last `within` seconds."""
        if self._last is None or time.monotonic() - self._last[0] > within:
            return None
        return self._last[1]

    def note_failed(self, statement: str, sqlstate: str, parameters: Mapping[str, Any]) -> None:
        """Not be ready as long as this statement of a request fails in this way."""
        self._statements.note_failed(statement, sqlstate, parameters)

    def note_failed_run(self, statement: str, sqlstate: str, message: str) -> None:
        """Not be ready until this statement works again, or for half a minute.

        PostgreSQL could plan the statement, so nothing else than a run can tell. The message must
        not have anything in it that a client has sent.
        """
        self._statements.note_failed_run(statement, sqlstate, message)

    def note_worked(self, statement: str) -> None:
        """Hear that a statement has worked."""
        self._statements.note_worked(statement)

    def _check(self) -> Readiness:
        try:
            with connected(
                self._description.database_url, _CONNECT_TIMEOUT, _SILENCE
            ) as connection:
                inspection, plan = self._look(connection)
                unfit = self._why_unfit(connection, inspection, plan)
                if unfit is not None and self._description.compare_models:
                    self._reached = None
                    self.__dict__.pop("_aim", None)
                    inspection, plan = self._look(connection)
        except BootError as error:
            return Readiness(ready=False, reason=self._boot_failure() or str(error))
        except psycopg2.Error as error:
            return Readiness(
                ready=False, reason=f"The database cannot be asked: {one_line(error)}."
            )
        is_there = plan.action is Action.NOTHING
        self._has_been_ready = self._has_been_ready or is_there
        failure = self._boot_failure(inspection.current)
        reason = unfit if is_there else failure or _reason(inspection, plan)
        return Readiness(
            ready=reason is None,
            state=inspection.state.value,
            current=inspection.current,
            target=inspection.target.name,
            reason=reason,
        )

    def _look(self, connection: Connection) -> tuple[Inspection, Plan]:
        inspection = self._inspect(connection)
        policy = self._description.schema
        return inspection, decide(inspection, rollback=policy.rollback, disposal=policy.disposal)

    def _why_unfit(self, connection: Connection, inspection: Inspection, plan: Plan) -> str | None:
        """Return why requests fail, or may fail, though the revision is the right one.

        On a schema that is pinned below the newest one, the requests that fail tell.
        """
        if plan.action is not Action.NOTHING:
            return None
        is_pinned = inspection.target.revisions != inspection.heads
        return boot_differences() or self._statements.why_unfit(connection, is_pinned=is_pinned)

    def _inspect(self, connection: Connection) -> Inspection:
        """Return the state now; what is on disk is read once, and only if it is needed."""
        facts = read_facts(connection, self._version_table, _STATEMENT_TIMEOUT)
        known = self._reached
        if known is not None and known.is_still_true_of(facts):
            return at_target(facts, known.target, known.heads)
        history, target = self._aim
        inspection = inspect(facts, history, target)
        if inspection.unknown and facts.journal_refusal is not None:
            raise facts.journal_refusal
        replaced = replaced_revisions(facts.journal, inspection.applied, history)
        return with_replaced(inspection, replaced)

    def _boot_failure(self, current: tuple[str, ...] | None = None) -> str | None:
        """Return why the boot failed, until the schema is ready or has moved since.

        `current` is where the schema is now, if that is known.
        """
        if current is not None and self._failed_at is None:
            self._failed_at = current
        has_moved = current is not None and current != self._failed_at
        return None if self._has_been_ready or has_moved else boot_failure()

    @cached_property
    def _aim(self) -> tuple[History, Target]:
        from backend.boot.environment.opening import open_project

        boot = self._description
        history = open_project(boot.alembic_config, boot.migration_database_url).history
        policy = boot.schema
        return history, resolve_target(history, policy.target, rollback=policy.rollback)


def _reason(inspection: Inspection, plan: Plan) -> str:
    if plan.refusal is not None:
        return str(plan.refusal)
    current = ", ".join(inspection.current) or "base"
    return f"The schema is {inspection.state} at {current}, and should be at " + (
        f"{inspection.target.name}: run `{as_typed('inv migrate')}`."
    )
