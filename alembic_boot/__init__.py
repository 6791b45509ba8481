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
        check as check,
        describe as describe,
        migrate as migrate,
        readiness as readiness,
        readiness_router as readiness_router,
        status as status,
        wait as wait,
    )
    from alembic_boot.booting import (
        embedded as embedded,
        open_port as open_port,
        sharing_connection as sharing_connection,
    )
    from alembic_boot.checking.findings import Checked as Checked, Finding as Finding
    from alembic_boot.commands import as_typed as as_typed
    from alembic_boot.description import (
        AlembicConfig as AlembicConfig,
        BootDescription as BootDescription,
        BootSettings as BootSettings,
        OnFailure as OnFailure,
        SchemaPolicy as SchemaPolicy,
        ServePolicy as ServePolicy,
    )
    from alembic_boot.errors import (
        BootError as BootError,
        CatalogueUnreadableError as CatalogueUnreadableError,
        ConfigurationError as ConfigurationError,
        DatabaseMissingError as DatabaseMissingError,
        DatabaseUnreachableError as DatabaseUnreachableError,
        HistoryBrokenError as HistoryBrokenError,
        LockLostError as LockLostError,
        LockTimeoutError as LockTimeoutError,
        LoginRefusedError as LoginRefusedError,
        MigrationFailedError as MigrationFailedError,
        RowsHiddenError as RowsHiddenError,
        SchemaAheadError as SchemaAheadError,
        SchemaDivergedError as SchemaDivergedError,
        SchemaPastError as SchemaPastError,
        SchemaUnmanagedError as SchemaUnmanagedError,
        SeedingFailedError as SeedingFailedError,
        ServingFailedError as ServingFailedError,
    )
    from alembic_boot.imports import import_quickly as import_quickly
    from alembic_boot.migration.status import Status as Status
    from alembic_boot.output.masking import hide as hide
    from alembic_boot.output.reporting import (
        Overrides as Overrides,
        reporting_failures as reporting_failures,
    )
    from alembic_boot.output.stdout import show as show
    from alembic_boot.postgres.urls import (
        DatabaseUrl as DatabaseUrl,
        build_database_url as build_database_url,
        hide_password as hide_password,
        parse_database_url as parse_database_url,
    )
    from alembic_boot.running.by_hand import one_at_a_time as one_at_a_time
    from alembic_boot.serving.boot_server import BootServer as BootServer
    from alembic_boot.settings import (
        read_serve_policy as read_serve_policy,
        read_settings as read_settings,
    )
    from alembic_boot.state.readiness import Readiness as Readiness
    from alembic_boot.variables import (
        LogFormat as LogFormat,
        LogLevel as LogLevel,
        Values as Values,
        read_values as read_values,
    )

_MODULES = {
    "api": "Options check describe migrate readiness readiness_router status wait",
    "booting": "embedded open_port sharing_connection",
    "checking.findings": "Checked Finding",
    "commands": "as_typed",
    "description": "AlembicConfig BootDescription BootSettings OnFailure SchemaPolicy ServePolicy",
    "errors": "BootError CatalogueUnreadableError ConfigurationError DatabaseMissingError "
    "DatabaseUnreachableError HistoryBrokenError LockLostError LockTimeoutError LoginRefusedError "
    "MigrationFailedError RowsHiddenError SchemaAheadError SchemaDivergedError SchemaPastError "
    "SchemaUnmanagedError SeedingFailedError ServingFailedError",
    "imports": "import_quickly",
    "migration.status": "Status",
    "output.masking": "hide",
    "output.reporting": "Overrides reporting_failures",
    "output.stdout": "show",
    "postgres.urls": "DatabaseUrl build_database_url hide_password parse_database_url",
    "running.by_hand": "one_at_a_time",
    "serving.boot_server": "BootServer",
    "settings": "read_serve_policy read_settings",
    "state.readiness": "Readiness",
    "variables": "LogFormat LogLevel Values read_values",
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
