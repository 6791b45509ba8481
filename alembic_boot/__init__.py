"""Bring a database to the newest revision of an Alembic project, then serve an ASGI app.

wait → inspect → decide → apply → verify → seed → serve. The package knows PostgreSQL and Alembic; a
`BootDescription` describes the application. These names are public; importing the package imports
none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic_boot.api import (
        Options as Options,
    )
    from alembic_boot.api import (
        check as check,
    )
    from alembic_boot.api import (
        describe as describe,
    )
    from alembic_boot.api import (
        migrate as migrate,
    )
    from alembic_boot.api import (
        readiness as readiness,
    )
    from alembic_boot.api import (
        readiness_router as readiness_router,
    )
    from alembic_boot.api import (
        status as status,
    )
    from alembic_boot.api import (
        wait as wait,
    )
    from alembic_boot.checking.findings import Checked as Checked
    from alembic_boot.checking.findings import Finding as Finding
    from alembic_boot.description import (
        AlembicConfig as AlembicConfig,
    )
    from alembic_boot.description import (
        BootDescription as BootDescription,
    )
    from alembic_boot.description import (
        OnFailure as OnFailure,
    )
    from alembic_boot.description import (
        SchemaPolicy as SchemaPolicy,
    )
    from alembic_boot.description import (
        ServePolicy as ServePolicy,
    )
    from alembic_boot.errors import (
        BootError as BootError,
    )
    from alembic_boot.errors import (
        CatalogueUnreadableError as CatalogueUnreadableError,
    )
    from alembic_boot.errors import (
        ConfigurationError as ConfigurationError,
    )
    from alembic_boot.errors import (
        DatabaseMissingError as DatabaseMissingError,
    )
    from alembic_boot.errors import (
        DatabaseUnreachableError as DatabaseUnreachableError,
    )
    from alembic_boot.errors import (
        HistoryBrokenError as HistoryBrokenError,
    )
    from alembic_boot.errors import (
        LockLostError as LockLostError,
    )
    from alembic_boot.errors import (
        LockTimeoutError as LockTimeoutError,
    )
    from alembic_boot.errors import (
        LoginRefusedError as LoginRefusedError,
    )
    from alembic_boot.errors import (
        MigrationFailedError as MigrationFailedError,
    )
    from alembic_boot.errors import (
        RowsHiddenError as RowsHiddenError,
    )
    from alembic_boot.errors import (
        SchemaAheadError as SchemaAheadError,
    )
    from alembic_boot.errors import (
        SchemaDivergedError as SchemaDivergedError,
    )
    from alembic_boot.errors import (
        SchemaPastError as SchemaPastError,
    )
    from alembic_boot.errors import (
        SchemaUnmanagedError as SchemaUnmanagedError,
    )
    from alembic_boot.errors import (
        SeedingFailedError as SeedingFailedError,
    )
    from alembic_boot.errors import (
        ServingFailedError as ServingFailedError,
    )
    from alembic_boot.migration.status import Status as Status
    from alembic_boot.postgres.urls import DatabaseUrl as DatabaseUrl
    from alembic_boot.postgres.urls import parse_database_url as parse_database_url
    from alembic_boot.running.by_hand import one_at_a_time as one_at_a_time
    from alembic_boot.serving.readiness_answer import Readiness as Readiness

_MODULES = {
    "api": "Options check describe migrate readiness readiness_router status wait",
    "checking.findings": "Checked Finding",
    "description": "AlembicConfig BootDescription OnFailure SchemaPolicy ServePolicy",
    "errors": "BootError CatalogueUnreadableError ConfigurationError DatabaseMissingError "
    "DatabaseUnreachableError HistoryBrokenError LockLostError LockTimeoutError LoginRefusedError "
    "MigrationFailedError RowsHiddenError SchemaAheadError SchemaDivergedError SchemaPastError "
    "SchemaUnmanagedError SeedingFailedError ServingFailedError",
    "migration.status": "Status",
    "postgres.urls": "DatabaseUrl parse_database_url",
    "running.by_hand": "one_at_a_time",
    "serving.readiness_answer": "Readiness",
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [*_WHERE]  # noqa: PLE0604 (texts, all of them)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*globals(), *__all__]
