"""Bring the schema to its target; where it is there since somebody looked thoroughly, at once.

Nothing of Alembic is imported here: on a schema that is as it was, nobody needs it.
"""

import logging
from collections.abc import Callable
from functools import partial

from backend.boot.description import BootDescription
from backend.boot.environment.surroundings import surroundings
from backend.boot.exclusive.turns import Turn
from backend.boot.migration.report import report
from backend.boot.postgres.pooler import naming_pooler
from backend.boot.state.inspection import Inspection
from backend.boot.state.memory import recall

_log = logging.getLogger(__name__)


Next = Callable[[Inspection], None]


def migrate(boot: BootDescription, then: Next = lambda _inspection: None) -> None:
    """Bring the schema to its target, and do `then` with the state reached.

    Raises the refusal that the state calls for, LockTimeoutError or MigrationFailedError.
    """
    with naming_pooler(boot.migration_database_url):
        _migrate(boot, then)


def _migrate(boot: BootDescription, then: Next) -> None:
    _log.info("Running database migrations...")
    url = boot.migration_database_url
    turn = Turn(url, surroundings(boot.alembic_config, url), boot.schema.lock_timeout)

    def go_on(inspection: Inspection) -> None:
        turn.end()
        then(inspection)

    try:
        memory = turn.await_memory(partial(recall, boot))
        if memory is not None:
            report(memory.inspection, was_current=True)
            go_on(memory.inspection)
            return
        from backend.boot.migration.thorough import migrate_thoroughly

        migrate_thoroughly(boot, go_on)
    finally:
        turn.end()
