"""Write a revision that joins the heads of a history; no database is needed."""

from dataclasses import dataclass

from alembic import command

from alembic_boot.checking.revise import telling_what_is_wrong
from alembic_boot.description import AlembicConfig
from alembic_boot.environment.opening import open_project
from alembic_boot.history.numbering import next_id
from alembic_boot.postgres.urls import DatabaseUrl


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

    `url` is for an env.py that Alembic is configured to run. Raises BootError.
    """
    project = open_project(alembic, url)
    heads = project.history.heads
    if len(heads) == 1:
        return Merged(heads, None)
    with telling_what_is_wrong(project):
        script = command.merge(
            project.config, list(heads), message, rev_id=next_id(project.history)
        )
    return Merged(heads, str(getattr(script, "path", script)))
