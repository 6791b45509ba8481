"""The revisions that a check leaves alone: those that are applied or merged already."""

import logging
import os
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from alembic_boot.description import BootDescription
from alembic_boot.environment.project import Project
from alembic_boot.history.history import resolve_target
from alembic_boot.postgres.connection import connected
from alembic_boot.private_names import version_locations
from alembic_boot.state.schema import open_schema

_log = logging.getLogger(__name__)

_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "origin/develop", "main", "master")


@dataclass(frozen=True)
class Merged:
    """The part of a history that git's default branch has."""

    where: str
    """The commit that the files are compared with; empty if it is unknown."""
    revisions: frozenset[str]
    """The revisions whose files are unchanged since that commit."""


def left_alone(
    boot: BootDescription, project: Project, since: str | None, *, every: bool
) -> frozenset[str]:
    """Return the revisions that are only upgraded through, with all that they depend on.

    With `since` these are that revision and those below it; `every` leaves none. Otherwise they are
    those whose files are unchanged in the default branch of git. If the database's journal has
    applied revisions, only these are left alone; without git the journal alone decides. A revision
    above a changed one is checked, too. Raises ConfigurationError for an unknown revision.
    """
    history = project.history
    if every:
        return frozenset()
    if since is not None:
        found, where = resolve_target(history, since, rollback=False).revisions, f"below {since}"
        alone = history.closure(found)
    else:
        # A journal may begin in the middle of a history: what is below its revisions is applied.
        alone = history.closure(_journalled(boot, project))
        where = "applied in this database"
        if (git := merged(project)) is not None:
            where = f"{where}, and in {git.where}" if alone else f"in {git.where}"
            alone = history.whole((alone or history.revisions.keys()) & git.revisions)
    if alone:
        of, count = len(history.revisions), len(history.revisions) - len(alone)
        _log.info("Checking %d of %d revisions: the others are %s", count, of, where)
    return alone


def _journalled(boot: BootDescription, project: Project) -> Iterable[str]:
    """Give the revisions that the journal of the real database has as applied."""
    schema = open_schema(boot.migration_database_url, project, boot.schema)
    with connected(schema.url) as connection:
        applied = schema.journal.applied(connection)
    return (it.revision for it in applied if it.revision in project.history.revisions)


def merged(project: Project) -> Merged | None:
    """Return the part of the history that git's default branch has; None without a work tree.

    A commit that is in the default branch itself is compared with its first parent. A shallow clone
    may lack the commit to compare with: then nothing counts as merged.
    """
    git = partial(_git, project.folder)
    folders = [str(it) for it in version_locations(project.scripts)]
    if (root := git("rev-parse", "--show-toplevel")) is None:
        return None
    where, base = _base(git)
    own = git("ls-files", "--others", "--full-name", "-z", "--", *folders)
    changed = base and git("diff", "--name-only", "--no-relative", "-z", base, "--", *folders)
    if changed is None or own is None:
        return Merged(where, frozenset())
    new = {Path(root.rstrip("\n"), it) for it in (changed + own).split("\0") if it}
    revisions = project.history.revisions.values()
    unchanged = (it.id for it in revisions if it.path and it.path.resolve() not in new)
    return Merged(where, frozenset(unchanged))


def _base(git: Callable[..., str | None]) -> tuple[str, str | None]:
    """Return the commit to compare with, in words and as git has it; None if it is unknown."""
    head = git("rev-parse", "HEAD")
    for branch in _BRANCHES:
        if git("rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}") is not None:
            base = git("merge-base", branch, "HEAD")
            if base != head:
                return branch, base and base.strip()
            parent = git("rev-parse", "--verify", "--quiet", "HEAD^")
            return "the commit before", parent and parent.strip()
    return "", None


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None if it fails, or is not there."""
    try:
        finished = subprocess.run(  # noqa: S603 (no part of it comes from outside)
            ("git", "-C", str(folder), *arguments),  # noqa: S607 (git is where PATH has it)
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(finished.stdout)  # a file name need not be UTF-8
