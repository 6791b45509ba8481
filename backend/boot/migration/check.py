"""Replay the whole history on a scratch database: it must go up, down and up again, and end
where the models are.
"""

import logging
from collections.abc import Iterable
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from backend.boot.catalogue.comparison import Catalogue, compare
from backend.boot.catalogue.reading import read_catalogue
from backend.boot.description import BootDescription, SchemaPolicy
from backend.boot.errors import HistoryBrokenError, MigrationFailedError
from backend.boot.migration.apply import apply
from backend.boot.migration.history import History
from backend.boot.migration.plan import decide
from backend.boot.migration.project import MigrationSteps, Project, open_project
from backend.boot.migration.schema import Schema, open_schema
from backend.boot.migration.scratch import refuse_other_database, scratch_database
from backend.boot.postgres.connection import connected
from backend.boot.postgres.urls import DatabaseUrl

_log = logging.getLogger(__name__)

_ADVICE = "Mend the revisions, or the models, and check again."


def check(boot: BootDescription) -> None:
    """Raise HistoryBrokenError with all that is wrong with the history; return where nothing is.

    Works on a scratch database: the real one is not touched.
    """
    open_project(boot.alembic_config, boot.migration_database_url)
    with scratch_database(boot) as url:
        project = open_project(boot.alembic_config, url)
        refuse_other_database(url, project)
        problems = _problems(url, project)
    for problem in problems:
        _log.error("%s", problem)
    if problems:
        checks = "1 check" if len(problems) == 1 else f"{len(problems)} checks"
        raise HistoryBrokenError(f"The history fails {checks}.", _ADVICE)


def _problems(url: DatabaseUrl, project: Project) -> list[str]:
    """Return all that is wrong, up to the first revision that does not run."""
    found: list[str] = []
    try:
        for problem in _replay(url, project):
            found.append(problem)  # what was found before a failure is often its cause
    except MigrationFailedError as error:
        return [*found, error.what]
    return [*found, *_differences_from_models(project)]


def _replay(url: DatabaseUrl, project: Project) -> Iterable[str]:
    """Go up through the history, each revision down and up again; give what did not come back.

    Where the history branches, going down one step means several things; it is then taken down
    as a whole.
    """
    history = project.history
    if _is_one_line(history):
        legs = [
            (history.revisions[revision].parents[0:1] or ("base",), (revision,))
            for revision in history.in_order(history.revisions)
        ]
    else:
        _log.info("The history branches: it is reversed as a whole")
        legs = [(("base",), ("heads",))]
    for [below], [revision] in legs:
        before = _read(url)
        above = _move(url, project, revision)
        if left := compare(_move(url, project, below), before):
            yield from (f"{revision} leaves behind on its way down: {line}" for line in left)
        if changed := compare(_move(url, project, revision), above):
            yield from (f"{revision} comes back different: {line}" for line in changed)


def _move(url: DatabaseUrl, project: Project, target: str) -> Catalogue:
    """Bring the scratch to a revision, whichever way it is, and return its catalogue."""
    schema: Schema = open_schema(url, project, SchemaPolicy(target, rollback=True))
    plan = decide(schema.inspect(), rollback=True)
    if plan.refusal is not None:
        raise plan.refusal
    apply(schema, plan)
    return _read(url)


def _read(url: DatabaseUrl) -> Catalogue:
    with connected(url) as connection:
        return read_catalogue(connection)


def _differences_from_models(project: Project) -> list[str]:
    found: list[str] = []

    def compare_models(_current: Any, context: MigrationContext) -> MigrationSteps:
        metadata = context.opts["target_metadata"]
        if metadata is None:
            _log.info("env.py names no target_metadata: there are no models to compare with")
        else:
            found.extend(
                f"the models and the migrations differ: {difference}"
                for difference in compare_metadata(context, metadata)
            )
        return ()

    project.run(compare_models, dont_mutate=True)
    return found


def _is_one_line(history: History) -> bool:
    revisions = history.revisions.values()
    return len(history.heads) == 1 and all(
        len(revision.parents) <= 1 and not revision.depends_on for revision in revisions
    )
