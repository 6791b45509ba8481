"""Replay a history on a scratch database: each revision up, down and up again."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import DDL, TextClause, TextualSelect

from alembic_boot.adoption.comparison import Catalogue, Difference, ObjectKey, compare
from alembic_boot.adoption.schema_selection import read_all
from alembic_boot.adoption.scratch import make_room
from alembic_boot.checking.differences import MIGRATIONS, in_words, missing_labels, operations
from alembic_boot.checking.findings import Finding, Kind, finding
from alembic_boot.checking.new_revision import NO_MODELS
from alembic_boot.checking.phases import contract_reasons, phase_problems
from alembic_boot.description import SchemaPolicy
from alembic_boot.environment.listening import listening
from alembic_boot.environment.location import expect_database
from alembic_boot.environment.project import Project
from alembic_boot.environment.session import MigrationSession
from alembic_boot.errors import MigrationFailedError
from alembic_boot.history.history import History, Revision, Target
from alembic_boot.history.source import (
    below_sqlalchemy,
    declares_empty_downgrade,
    is_downgrade_empty,
    why_irreversible,
)
from alembic_boot.output.log import report_cause
from alembic_boot.output.log_fields import fields
from alembic_boot.output.progress import step_by_step
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.running.apply import MakeGuard, apply_to_scratch
from alembic_boot.running.guard import Guard
from alembic_boot.running.steps import Step
from alembic_boot.sql.statement import is_setting
from alembic_boot.state.schema import Schema, in_the_database, open_schema

_log = logging.getLogger(__name__)


class Replay:
    """One replay of a history on a scratch database; `alone` are the revisions that only go up."""

    def __init__(self, url: DatabaseUrl, project: Project, alone: frozenset[str]) -> None:
        self._project = project
        self._schema = open_schema(url, project, SchemaPolicy("heads", rollback=True))
        history = project.history
        self._alone = history.in_order(alone)
        self._may_stay: set[tuple[ObjectKey, str | None]] = set()
        self.checked = history.in_order(history.revisions.keys() - alone)
        self._has_phases = history.has_phases

    def find(self) -> tuple[list[Finding], bool]:
        """Return all faults, up to the first revision that fails, and whether there are models."""
        found: list[Finding] = []
        try:
            for it in self._replay():
                found.append(it)  # a fault found before a failure is often its cause
        except _FailedError as failed:
            report_cause(failed.error)
            return [*found, finding(failed.kind, failed.error.what, failed.revision)], False
        differing = self._differences_from_models()
        if differing is None:
            _log.info(NO_MODELS)
            return found, False
        return [*found, *differing], True

    def _replay(self) -> Iterable[Finding]:
        """Upgrade through the history, each checked revision down and up again; give the faults.

        If the checked part branches, one step down is ambiguous; then that part is downgraded as a
        whole, after the upgrade.
        """
        history, schema = self._project.history, self._schema
        if (it := make_room(schema)) is not None:
            yield finding(Kind.VERSION_TABLE, it.what.rstrip("."))
        is_one_line = _is_one_line(history, self.checked)
        if not is_one_line:
            _log.info("The history has branches: the downgrade goes to base in one run")
        lowest = Target(", ".join(self._alone[-1:]) or "base", self._alone[::-1])
        base = above = self._up(None, lowest) if self._alone else _read(schema)
        done = list(self._alone)
        with step_by_step(len(self.checked), _say_step) as begin:
            for id_ in self.checked:
                begin(history.label(id_))
                revision, below = history.revisions[id_], above
                own: list[str] = []
                done.append(id_)
                # On every other branch as far as it has come, and on this one a revision further.
                target = Target(id_, tuple(done[::-1]))
                above = self._up(revision, target, partial(_Noting, own))
                source = revision.source()
                if source is not None and declares_empty_downgrade(source):
                    self._may_stay |= {(it.object, it.property) for it in compare(above, below)}
                if self._has_phases:
                    yield from _phase_findings(revision, below, above, own)
                if is_one_line:
                    here = Target(id_, (id_,))
                    parent = Target((revision.parents or ("base",))[0], revision.parents)
                    yield from self._return(revision, here, above, parent, below)
        if not is_one_line and self.checked:
            yield from self._return(None, schema.target, above, lowest, base)

    def _up(
        self, revision: Revision | None, target: Target, make_guard: MakeGuard = Guard
    ) -> Catalogue:
        try:
            return _move(self._schema, "up", target, make_guard)
        except MigrationFailedError as error:
            raise _FailedError(error, Kind.UPGRADE, revision) from error

    def _return(
        self,
        revision: Revision | None,
        here: Target,
        above: Catalogue,
        there: Target,
        below: Catalogue,
    ) -> Iterable[Finding]:
        """Go down and up again; give the differences from the state before.

        `revision` is the one that is reversed; None stands for all that are checked. If the way
        down fails and changes nothing, the check goes on.
        """
        found = partial(finding, Kind.DOWNGRADE, revision=revision)
        reversed_ = self.checked if revision is None else (revision.id,)
        sources = [self._project.history.revisions[it].source() for it in reversed_]
        may_leave = any(it is not None and declares_empty_downgrade(it) for it in sources)
        if revision is not None and sources[0] is not None:
            source = sources[0]
            if may_leave and not is_downgrade_empty(source):
                yield found(f"{revision.id} says downgrade_is_empty, and its downgrade() is not")
            if why_irreversible(source) and is_downgrade_empty(source):
                yield from map(found, _left(here, compare(above, below)))
                return  # what an empty downgrade leaves would be in the way
        try:
            left = compare(_move(self._schema, "down", there), below)
        except MigrationFailedError as error:
            if not self._is_still(here, above):
                raise _FailedError(error, Kind.DOWNGRADE, revision) from error
            report_cause(error)
            yield found(error.what)
            return
        if revision is None or not may_leave:
            own = [it for it in left if (it.object, it.property) not in self._may_stay]
            yield from map(found, _left(here, own))
        try:
            changed = compare(_move(self._schema, "up", here), above)
        except MigrationFailedError as error:
            raise _FailedError(error, Kind.DOWNGRADE, revision) from error
        yield from (found(f"{here.name} comes back different: {line}") for line in changed)

    def _is_still(self, here: Target, above: Catalogue) -> bool:
        current = self._schema.inspect().current
        history = self._project.history
        is_there = history.closure(here.revisions) == history.closure(current)
        return is_there and not compare(_read(self._schema), above)

    def _differences_from_models(self) -> list[Finding] | None:
        """Return the differences from the models; None if env.py names no models."""
        has_models: list[bool] = []
        found: list[str] = []

        def compare_models(context: MigrationContext, _arguments: object) -> None:
            has_models.append(context.opts["target_metadata"] is not None)
            if has_models[-1]:
                labels = [it.difference(MIGRATIONS) for it in missing_labels(context)]
                every = [*in_words(operations(context), MIGRATIONS), *labels]
                found.extend(f"{it.text}; {it.advice}" for it in every)

        def run_env(is_scratch: str) -> None:
            project, there = self._project, expect_database(is_scratch)
            project.run(compare_models, configured=there, dont_mutate=True)

        in_the_database(self._schema.url, run_env)
        differ = "the models and the migrations differ"
        return (
            [finding(Kind.MODELS, f"{differ}: {it}") for it in found] if any(has_models) else None
        )


class _FailedError(Exception):
    """A revision failed, and the replay cannot go on."""

    def __init__(self, error: MigrationFailedError, kind: Kind, revision: Revision | None) -> None:
        super().__init__(error)
        self.error, self.kind, self.revision = error, kind, revision


def _phase_findings(
    revision: Revision, below: Catalogue, above: Catalogue, own: list[str]
) -> Iterator[Finding]:
    source = revision.source()
    unseen = [] if source is None else below_sqlalchemy(source)
    reasons = contract_reasons(below, above, [*own, *unseen])
    for problem in phase_problems(revision.phase, reasons):
        yield finding(Kind.PHASE, f"{revision.id} {problem}", revision)


def _left(here: Target, differences: Iterable[Difference]) -> Iterator[str]:
    return (f"{here.name} leaves behind on its way down: {line}" for line in differences)


def _say_step(number: int, of: int, title: str) -> None:
    checking = fields("checking", label=title)
    _log.info("Checking revision %d of %d: %s", number, of, title, extra=checking)


class _Noting(Guard):
    """Notes what a revision executes as text of its own: no rule tells its effect on the data.

    A SELECT counts too, because it may call a function that writes. Settings of the session do not
    count. What SQLAlchemy and Alembic compile from objects shows in the catalogue.
    """

    def __init__(self, own: list[str], session: MigrationSession) -> None:
        super().__init__(session)
        self._own = own

    @contextmanager
    def running(self, step: Step) -> Iterator[None]:
        """Note it while the revision's function runs, and nothing around it."""
        connection = self.session.connection
        with super().running(step), listening(connection, before_cursor_execute=self._note):
            yield

    def _note(
        self, _connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: Any
    ) -> None:
        compiled = getattr(context.compiled, "statement", None)
        # ALTER COLUMN … TYPE … USING has an expression, which is a text as well.
        is_text = compiled is None or isinstance(compiled, TextClause | TextualSelect | DDL)
        if (is_text or getattr(compiled, "using", None)) and not is_setting(statement):
            self._own.append(statement)


def _move(schema: Schema, way: str, target: Target, make_guard: MakeGuard = Guard) -> Catalogue:
    """Bring the scratch database to a target, up or down, and return its catalogue.

    Raises MigrationFailedError, which says which way it was.
    """
    try:
        apply_to_scratch(replace(schema, target=target), make_guard)
    except MigrationFailedError as error:
        raise MigrationFailedError(f"On the way {way}: {error.what}", error.advice) from error
    return _read(schema)


def _read(schema: Schema) -> Catalogue:
    with connected(schema.url) as connection:
        return read_all(connection, schema.version_table)


def _is_one_line(history: History, ids: Iterable[str]) -> bool:
    revisions = [history.revisions[id_] for id_ in ids]
    return len(history.heads) == 1 and all(
        len(revision.parents) <= 1 and not revision.depends_on for revision in revisions
    )
