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

    Thread-safe: the history on disk is read once, everything else anew.
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

    def _check(self) -> Readiness:
        try:
            with connected(
                self._description.database_url, _CONNECT_TIMEOUT, _SILENCE
            ) as connection:
                inspection = self._inspect(connection)
                policy = self._description.schema
                plan = decide(inspection, rollback=policy.rollback, disposal=policy.disposal)
                is_there = plan.action is Action.NOTHING
                unfit = self._why_unfit(connection, inspection) if is_there else None
        except BootError as error:
            return Readiness(ready=False, reason=self._boot_failure() or str(error))
        except psycopg2.Error as error:
            return Readiness(
                ready=False, reason=f"The database cannot be asked: {one_line(error)}."
            )
        self._has_been_ready = self._has_been_ready or is_there
        reason = unfit if is_there else self._boot_failure() or _reason(inspection, plan)
        return Readiness(
            ready=reason is None,
            state=inspection.state.value,
            current=inspection.current,
            target=inspection.target.name,
            reason=reason,
        )

    def _why_unfit(self, connection: Connection, inspection: Inspection) -> str | None:
        """Return why requests fail, or may fail, though the revision is the right one.

        On a schema that is pinned below the newest one, the requests that fail tell.
        """
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

    def _boot_failure(self) -> str | None:
        """Return why the boot failed, as long as nobody has mended it since."""
        return None if self._has_been_ready else boot_failure()

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
