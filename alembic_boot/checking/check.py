"""Replay the history on a scratch database: up, down, up, and equal to the models."""

import logging

from alembic_boot.adoption.application_url import pointed_at
from alembic_boot.adoption.scratch import scratch_database
from alembic_boot.checking.findings import Checked
from alembic_boot.checking.replay import Replay
from alembic_boot.checking.scope import left_alone
from alembic_boot.description import BootDescription
from alembic_boot.environment.opening import open_project
from alembic_boot.environment.project import Project
from alembic_boot.history.history import resolve_target

_log = logging.getLogger(__name__)


def check(boot: BootDescription, since: str | None = None, *, every: bool = False) -> Checked:
    """Log all faults of the history, and raise HistoryBrokenError if there are any.

    The rest is as in `find_faults`.
    """
    checked = find_faults(boot, since, every=every)
    for it in checked.findings:
        _log.error("%s", it.text)
    checked.refuse()
    return checked


def find_faults(boot: BootDescription, since: str | None = None, *, every: bool = False) -> Checked:
    """Return the faults of the history.

    `since` and `every` say which revisions are checked, as in `left_alone`. The target counts as
    for a start: several heads are a fault unless it is `heads`. The check uses a scratch database:
    the real one is only read. Raises BootError if the check is impossible.
    """
    real = open_with_target(boot)
    alone = left_alone(boot, real, since, every=every)
    with scratch_database(boot) as url, pointed_at(boot, url):
        project = open_project(boot.alembic_config, url)
        replay = Replay(url, project, alone)
        found, has_models = replay.find()
    return Checked(tuple(found), replay.checked, len(real.history.revisions), has_models)


def open_with_target(boot: BootDescription) -> Project:
    """Return the project, whose history has the target; asks no database. Raises BootError."""
    real = open_project(boot.alembic_config, boot.migration_database_url, changes_nothing=True)
    resolve_target(real.history, boot.schema.target, rollback=False)
    return real
