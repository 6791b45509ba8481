"""The revisions that a check leaves alone: those that are applied or merged already."""

import logging
import subprocess
from collections.abc import Iterable
from pathlib import Path

from alembic_boot.description import BootDescription
from alembic_boot.environment.project import Project
from alembic_boot.history.history import History, resolve_target
from alembic_boot.postgres.connection import connected
from alembic_boot.private_names import version_locations
from alembic_boot.state.schema import open_schema

_log = logging.getLogger(__name__)

_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "@{upstream}", "main", "master")


def left_alone(
    boot: BootDescription, project: Project, since: str | None, *, every: bool
) -> frozenset[str]:
    """Return the revisions that are only upgraded through, with all that they depend on.

    With `since` these are that revision and those below it; `every` leaves none. Otherwise they are
    those that the database's journal has as applied. If the journal has none, they are those whose
    files are in the default branch of git. Raises ConfigurationError for an unknown revision.
    """
    history = project.history
    if since is not None:
        found, where = resolve_target(history, since, rollback=False).revisions, f"below {since}"
    elif every:
        return frozenset()
    else:
        found, where = tuple(_journalled(boot, project)), "applied in this database"
        if not found:
            branch, found = merged(project)
            where = f"in {branch}"
    alone = history.closure(found)
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


def merged(project: Project) -> tuple[str, tuple[str, ...]]:
    """Return git's default branch, and the revisions whose files are in it unchanged."""
    folders = [str(it) for it in version_locations(project.scripts)]
    for branch in _BRANCHES:
        if _git(project.folder, "rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}") is None:
            continue
        base = _git(project.folder, "merge-base", branch, "HEAD") or branch
        changed = _git(project.folder, "diff", "--name-only", "-z", base.strip(), "--", *folders)
        own = _git(project.folder, "ls-files", "--others", "--full-name", "-z", "--", *folders)
        root = _git(project.folder, "rev-parse", "--show-toplevel")
        if changed is None or own is None or root is None:
            break
        new = {Path(root.rstrip("\n"), it) for it in (changed + own).split("\0") if it}
        return branch, _in_files(project.history, new)
    return "", ()


def _in_files(history: History, new: set[Path]) -> tuple[str, ...]:
    """Return the revisions whose files are none of these."""
    revisions = history.revisions.values()
    return tuple(it.id for it in revisions if it.path and it.path.resolve() not in new)


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None if it fails, or is not there."""
    try:
        finished = subprocess.run(  # noqa: S603 (no part of it comes from outside)
            ("git", "-C", str(folder), *arguments),  # noqa: S607 (git is where PATH has it)
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return finished.stdout
