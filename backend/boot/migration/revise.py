"""Write a new revision from what the models have and the history has not."""

import logging
from dataclasses import dataclass
from typing import Any

from alembic import command
from alembic.util.exc import CommandError

from backend.boot.description import BootDescription, SchemaPolicy
from backend.boot.environment.opening import open_project
from backend.boot.errors import HistoryBrokenError
from backend.boot.migration.apply import apply
from backend.boot.migration.models import refuse_no_models
from backend.boot.migration.scratch import scratch_database
from backend.boot.revisions.history import History
from backend.boot.state.plan import Action, decide
from backend.boot.state.schema import ask_location, open_schema

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """The file of a new revision."""

    path: str
    is_empty: bool
    """Whether the models have nothing that the history has not."""


def write_revision(boot: BootDescription, message: str) -> Written:
    """Write the file of a new revision.

    The models are compared with the history replayed on a scratch database, so that the state of
    the developer's own does not matter. Raises BootError.
    """
    with scratch_database(boot) as url:
        project = open_project(boot.alembic_config, url, may_be_empty=True)
        # An env.py that ignores the URL it is given would replay the history on the real one.
        ask_location(url, project)
        refuse_no_models(project)
        if project.history.revisions:
            schema = open_schema(url, project, SchemaPolicy())
            plan = decide(schema.inspect(), rollback=False)
            if plan.action is Action.UPGRADE:
                _log.info("Replaying the history on a scratch database")
                # People would take a line about a revision for one about the real database.
                apply(schema, plan, level=logging.DEBUG)
        empty: list[bool] = []

        def note(_context: object, _revision: object, directives: list[Any]) -> None:
            empty.append(directives[0].upgrade_ops.is_empty())

        try:
            script = command.revision(
                project.config,
                message,
                autogenerate=True,
                rev_id=next_id(project.history),
                process_revision_directives=note,
            )
        except CommandError as error:
            raise HistoryBrokenError(
                f"The revision could not be written: {str(error).rstrip('.')}.",
                "Mend the history first.",
            ) from error
    return Written(str(getattr(script, "path", script)), all(empty))


def next_id(history: History) -> str | None:
    """Return the number after the highest where revisions are numbered, else None.

    None leaves the choice to Alembic, which makes random ones.
    """
    ids = list(history.revisions)
    if not ids:
        return "001"
    if not all(revision.isdecimal() for revision in ids):
        return None
    width = max(len(revision) for revision in ids)
    return f"{max(int(revision) for revision in ids) + 1:0{width}d}"
