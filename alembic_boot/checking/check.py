"""Replay the whole history on a scratch database: up, down, up, and equal to the models."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from alembic.runtime.migration import MigrationContext

from alembic_boot.adoption.application_url import pointed_at
from alembic_boot.adoption.comparison import Catalogue, compare
from alembic_boot.adoption.reading import IGNORED_TABLES, read_catalogue
from alembic_boot.adoption.scratch import make_room, scratch_database
from alembic_boot.checking.differences import code, missing_labels, operations
from alembic_boot.checking.new_revision import NO_MODELS
from alembic_boot.checking.phases import contract_reasons, phase_problems
from alembic_boot.description import BootDescription, SchemaPolicy
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.project import Project
from alembic_boot.environment.session import MigrationSession
from alembic_boot.errors import HistoryBrokenError, MigrationFailedError
from alembic_boot.history.history import History, Target, resolve_target
from alembic_boot.history.own_sql import OwnSql
from alembic_boot.history.source import below_sqlalchemy
from alembic_boot.log import report_cause
from alembic_boot.log_fields import fields
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.progress import step_by_step
from alembic_boot.running.apply import MakeGuard, apply_to_scratch
from alembic_boot.running.guard import Guard
from alembic_boot.running.steps import Step
from alembic_boot.state.inspection import NO_DATABASE, SchemaState, inspect
from alembic_boot.state.plan import Action
from alembic_boot.state.schema import Schema, ask_location, open_schema

_log = logging.getLogger(__name__)

_ADVICE = "Fix the revisions, or the models, and check again."


def check(boot: BootDescription) -> None:
    """Raise HistoryBrokenError with all faults of the history.

    The target counts as for a start: several heads are a fault unless it is `heads`. The check uses
    a scratch database: the real one is not touched.
    """
    history = open_project(boot.alembic_config, boot.migration_database_url).history
    resolve_target(history, boot.schema.target, rollback=False)
    with scratch_database(boot) as url, pointed_at(boot, url):
        project = open_project(boot.alembic_config, url)
        # An env.py that ignores its URL would replay the history on the real database.
        ask_location(url, project)
        problems = _problems(url, project)
    for problem in problems:
        _log.error("%s", problem)
    if problems:
        checks = "1 check" if len(problems) == 1 else f"{len(problems)} checks"
        raise HistoryBrokenError(f"The history fails {checks}.", _ADVICE)


def _problems(url: DatabaseUrl, project: Project) -> list[str]:
    """Return all faults, up to the first revision that fails."""
    found: list[str] = []
    try:
        for problem in _replay(url, project):
            found.append(problem)  # a fault found before a failure is often its cause
    except MigrationFailedError as error:
        report_cause(error)
        return [*found, error.what]
    return [*found, *_differences_from_models(project)]


def _replay(url: DatabaseUrl, project: Project) -> Iterable[str]:
    """Upgrade through the history, each revision down and up again; yield the faults.

    If the history branches, one step down is ambiguous; then the history is downgraded as a whole,
    after the upgrade.
    """
    history = project.history
    schema = open_schema(url, project, SchemaPolicy("heads", rollback=True))
    if (it := make_room(schema)) is not None:
        yield it.what.rstrip(".")
    order = history.in_order(history.revisions)
    is_one_line = _is_one_line(history)
    if not is_one_line:
        _log.info("The history has branches: the downgrade goes to base in one run")
    base = below = above = _read(schema)
    with step_by_step(len(order), _say_step) as begin:
        for number, id_ in enumerate(order, 1):
            begin(history.label(id_))
            below, own = above, OwnSql()
            # On every other branch as far as it has come, and on this one a revision further.
            above = _move(schema, Target(id_, order[:number][::-1]), partial(_Noting, own))
            revision = history.revisions[id_]
            source = revision.source()
            unseen = [] if source is None else below_sqlalchemy(source)
            reasons = contract_reasons(below, above, [*own.statements, *unseen])
            yield from (f"{id_} {problem}" for problem in phase_problems(revision.phase, reasons))
            if is_one_line:
                parent = Target((revision.parents or ("base",))[0], revision.parents)
                yield from _return(schema, Target(id_, (id_,)), above, parent, below)
    if not is_one_line:
        yield from _return(schema, schema.target, above, Target("base", ()), base)


def _say_step(number: int, of: int, title: str) -> None:
    checking = fields("checking", label=title)
    _log.info("Checking revision %d of %d: %s", number, of, title, extra=checking)


class _Noting(Guard):
    """Notes what a revision executes as text of its own."""

    def __init__(self, own: OwnSql, session: MigrationSession) -> None:
        super().__init__(session)
        self._own = own

    @contextmanager
    def running(self, step: Step) -> Iterator[None]:
        """Note it while the revision's function runs, and nothing around it."""
        with super().running(step), self._own.noting(self._session.connection):
            yield


def _return(
    schema: Schema, here: Target, above: Catalogue, there: Target, below: Catalogue
) -> Iterable[str]:
    """Go down and up again; yield the differences from the state before."""
    if left := compare(_move(schema, there), below):
        yield from (f"{here.name} leaves behind on its way down: {line}" for line in left)
    if changed := compare(_move(schema, here), above):
        yield from (f"{here.name} comes back different: {line}" for line in changed)


def _move(schema: Schema, target: Target, make_guard: MakeGuard = Guard) -> Catalogue:
    """Bring the scratch database to a target, up or down, and return its catalogue.

    Raises MigrationFailedError, which says which way it was.
    """
    schema = replace(schema, target=target)
    # An irreversible revision shows itself when it runs: there is nothing to lose here.
    inspection = replace(schema.inspect(), irreversible=())
    if inspection.state is SchemaState.UNMANAGED:  # it is at base, but some objects are left
        inspection = inspect(NO_DATABASE, schema.project.history, target)
    plan = schema.decide(inspection)
    if plan.refusal is not None:
        raise plan.refusal
    try:
        apply_to_scratch(schema, plan, make_guard)
    except MigrationFailedError as error:
        way = "up" if plan.action is Action.UPGRADE else "down"
        raise MigrationFailedError(f"On the way {way}: {error.what}", error.advice) from error
    return _read(schema)


def _read(schema: Schema) -> Catalogue:
    with connected(schema.url) as connection:
        return read_catalogue(connection, IGNORED_TABLES | {schema.version_table.name})


def _differences_from_models(project: Project) -> list[str]:
    found: list[str] = []

    def compare_models(context: MigrationContext, _arguments: object) -> None:
        if context.opts["target_metadata"] is None:
            _log.info(NO_MODELS)
            return
        missing = [f"no revision has {code(it)}" for it in operations(context)]
        found.extend(missing + missing_labels(context))

    project.run(compare_models, dont_mutate=True)
    return [f"the models and the migrations differ: {it}" for it in found]


def _is_one_line(history: History) -> bool:
    revisions = history.revisions.values()
    return len(history.heads) == 1 and all(
        len(revision.parents) <= 1 and not revision.depends_on for revision in revisions
    )
