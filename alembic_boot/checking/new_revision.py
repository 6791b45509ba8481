"""Write the file of a new revision: from the models' differences, or to join the heads."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from alembic import command
from alembic.autogenerate import renderers
from alembic.operations import MigrateOperation
from alembic.runtime.migration import MigrationContext

from alembic_boot.adoption.application_url import pointed_at
from alembic_boot.adoption.scratch import make_room, scratch_database
from alembic_boot.checking.differences import MissingLabel, missing_labels
from alembic_boot.commands import alembic_as_typed, as_typed
from alembic_boot.description import AlembicConfig, BootDescription, SchemaPolicy
from alembic_boot.environment.command_line import options
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.project import Project
from alembic_boot.errors import BootError, ConfigurationError, HistoryBrokenError, SeveralHeadsError
from alembic_boot.history.history import merge_command
from alembic_boot.history.numbering import next_id
from alembic_boot.output.log import keeping_logging
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.running.apply import apply_to_scratch
from alembic_boot.state.schema import open_schema

_log = logging.getLogger(__name__)

_NEW_LABEL = (
    "Label %r of enum %s is new: the revision adds it outside of its transaction. No downgrade can "
    "remove a label; if yours does nothing else, write `downgrade_is_empty` with the reason."
)

NO_MODELS = "env.py names no target_metadata: there are no models to compare with"


class AddLabelOp(MigrateOperation):
    """Adds a label to an enum, of which Alembic writes nothing."""

    def __init__(self, label: MissingLabel) -> None:
        self.statement = label.statement


@renderers.dispatch_for(AddLabelOp)
def _add_label(_context: object, operation: AddLabelOp) -> list[str | None]:
    """Return the lines: other statements of the same transaction could not use the label."""
    return [
        "with op.get_context().autocommit_block():",
        f"op.execute({operation.statement!r})",
        None,  # ends the block
    ]


def required(message: str | None, command: str) -> str:
    """Return the message of a new revision. Raises ConfigurationError if there is none.

    `command` is `revision` or `merge`.
    """
    if message and message.strip():
        return message.strip()
    typed = as_typed(f'{command} --message "what it does"')
    raise ConfigurationError("A revision needs a message.", f"Type `{typed}`.")


def write_revision(boot: BootDescription, message: str) -> str:
    """Write the file of a new revision, and return a sentence about it.

    The models are compared with the history replayed on a scratch database, so the state of the
    developer's own database does not matter. Raises BootError.
    """
    refuse_several_heads(boot)
    with scratch_database(boot) as url, pointed_at(boot, url):
        project = open_project(boot.alembic_config, url, may_be_empty=True)
        schema = open_schema(url, project, SchemaPolicy("heads"))
        _refuse_no_models(project)
        if project.history.revisions:
            make_room(schema)
            _log.info("Replaying the history on a scratch database")
            apply_to_scratch(schema)
        project.config.cmd_opts = options(
            boot.alembic_config, "revision", "--autogenerate", f"--message={message}"
        )
        empty: list[bool] = []

        def note(context: MigrationContext, _revision: object, directives: list[Any]) -> None:
            upgrade = directives[0].upgrade_ops
            labels = missing_labels(context)
            upgrade.ops[:0] = map(AddLabelOp, labels)
            empty.append(upgrade.is_empty())
            for label in labels:
                _log.warning(_NEW_LABEL, label.label, label.enum)

        with _writing(project):
            script = command.revision(
                project.config,
                message,
                autogenerate=True,
                rev_id=next_id(project.history),
                process_revision_directives=note,
            )
    advice = "read it, and decide its phase." if project.history.has_phases else "read it."
    if all(empty):
        advice = "it is empty, because the models do not differ from the history."
    return f"Wrote {getattr(script, 'path', script)}: {advice}"


@dataclass(frozen=True)
class Merged:
    """The heads of a history, and the file that joins them; None if there was only one."""

    heads: tuple[str, ...]
    path: str | None

    def __str__(self) -> str:
        if self.path is None:
            return f"There is nothing to join: the history has one head, {self.heads[0]}."
        return f"Wrote {self.path}: it joins {' and '.join(self.heads)}."


def write_merge(alembic: AlembicConfig, url: DatabaseUrl | None, message: str) -> Merged:
    """Write the file of a revision whose parents are all heads, if there are several.

    No database is asked; `url` is for an env.py that Alembic is configured to run. Raises
    BootError.
    """
    project = open_project(alembic, url)
    heads = project.history.heads
    if len(heads) == 1:
        return Merged(heads, None)
    with _writing(project):
        script = command.merge(
            project.config, list(heads), message, rev_id=next_id(project.history)
        )
    return Merged(heads, str(getattr(script, "path", script)))


@contextmanager
def _writing(project: Project) -> Iterator[None]:
    """Turn what Alembic, a template or a hook raises into a sentence; keep the log as it is.

    Here Alembic runs env.py by itself, so a `fileConfig` there would show Alembic's own lines.
    """
    with keeping_logging(), project.running(partial(_not_written, project)):
        yield


def _not_written(project: Project, error: BaseException) -> BootError:
    return HistoryBrokenError(
        f"The revision could not be written: {project.describe(error)}.",
        "Fix that and try again.",
    )


def refuse_several_heads(boot: BootDescription) -> None:
    """Raise SeveralHeadsError if a new revision could have more than one head as parent."""
    url = boot.migration_database_url
    history = open_project(boot.alembic_config, url, may_be_empty=True).history
    if len(history.heads) > 1:
        join = merge_command(history)
        raise SeveralHeadsError(history.heads, f"Join them first with `{as_typed(join)}`.", join)


def _refuse_no_models(project: Project) -> None:
    """Raise ConfigurationError if env.py names no models."""
    section = project.config.config_ini_section

    def look(context: MigrationContext, _arguments: object) -> None:
        if context.opts["target_metadata"] is None:
            raise ConfigurationError(
                f"{NO_MODELS}.",
                "Pass that of the models to context.configure(), or have Alembic write an empty "
                f"revision: `{alembic_as_typed('revision -m TITLE', section)}`.",
            )

    project.run(look, dont_mutate=True)
