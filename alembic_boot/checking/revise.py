"""Write a new revision from the differences between the models and the history."""

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from alembic import command

from alembic_boot.adoption.application_url import pointed_at
from alembic_boot.adoption.scratch import scratch_database
from alembic_boot.adoption.scratch_schema import make_room
from alembic_boot.checking.models import refuse_no_models
from alembic_boot.description import BootDescription, SchemaPolicy
from alembic_boot.environment.command_line import options
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.project import Project
from alembic_boot.errors import BootError, HistoryBrokenError
from alembic_boot.history.history import merge_command
from alembic_boot.history.numbering import next_id
from alembic_boot.running.apply import apply_to_scratch
from alembic_boot.state.plan import Action, decide
from alembic_boot.state.schema import ask_location, open_schema

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """The file of a new revision."""

    path: str
    is_empty: bool
    """Whether the models have no difference from the history."""

    def __str__(self) -> str:
        advice = (
            "it is empty, because the models do not differ from the history."
            if self.is_empty
            else "read it, and decide its phase."
        )
        return f"Wrote {self.path}: {advice}"


def write_revision(boot: BootDescription, message: str) -> Written:
    """Write the file of a new revision.

    The models are compared with the history replayed on a scratch database, so the state of the
    developer's own database does not matter. Raises BootError.
    """
    _refuse_several_heads(boot)
    with scratch_database(boot) as url, pointed_at(url):
        project = open_project(boot.alembic_config, url, may_be_empty=True)
        # An env.py that ignores its URL would replay the history on the real database.
        ask_location(url, project)
        refuse_no_models(project)
        if project.history.revisions:
            schema = open_schema(url, project, SchemaPolicy())
            make_room(schema)
            plan = decide(schema.inspect(), rollback=False)
            if plan.action is Action.UPGRADE:
                _log.info("Replaying the history on a scratch database")
                apply_to_scratch(schema, plan)
        project.config.cmd_opts = options(
            boot.alembic_config, "revision", "--autogenerate", f"--message={message}"
        )
        empty: list[bool] = []

        def note(_context: object, _revision: object, directives: list[Any]) -> None:
            empty.append(directives[0].upgrade_ops.is_empty())

        with telling_what_is_wrong(project):
            script = command.revision(
                project.config,
                message,
                autogenerate=True,
                rev_id=next_id(project.history),
                process_revision_directives=note,
            )
    return Written(str(getattr(script, "path", script)), all(empty))


def telling_what_is_wrong(project: Project) -> AbstractContextManager[None]:
    """Turn what Alembic, a template or a hook raises into a sentence."""
    return project.running(partial(_not_written, project))


def _not_written(project: Project, error: BaseException) -> BootError:
    return HistoryBrokenError(
        f"The revision could not be written: {project.describe(error)}.",
        "Fix that and try again.",
    )


def _refuse_several_heads(boot: BootDescription) -> None:
    """Raise HistoryBrokenError if a new revision could have more than one head as parent."""
    url = boot.migration_database_url
    history = open_project(boot.alembic_config, url, may_be_empty=True).history
    if len(history.heads) > 1:
        raise HistoryBrokenError(
            f"The history has {len(history.heads)} heads: {', '.join(history.heads)}.",
            f"Join them first with `{merge_command(history)}`.",
        )
