"""Bring the schema to its target; where it is there since somebody looked thoroughly, at once.

Nothing of Alembic is imported here: on a schema that is as it was, nobody needs it.
"""

import logging
from collections.abc import Callable

from backend.boot.description import BootDescription
from backend.boot.migration.report import report
from backend.boot.postgres.connection import connected
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
    with connected(boot.migration_database_url) as connection:
        memory = recall(boot, connection)
    if memory is not None:
        report(memory.inspection, was_current=True)
        then(memory.inspection)
        return
    from backend.boot.migration.thorough import migrate_thoroughly

    migrate_thoroughly(boot, then)
