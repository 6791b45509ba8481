"""Every foreseen failure, with the exit status that it ends a task with.

BootError
 ├ ConfigurationError          2
 ├ DatabaseUnreachableError    3
 ├ LoginRefusedError           4
 │  ├ DatabaseMissingError     4
 │  └ CatalogueUnreadableError 4
 ├ MigrationFailedError        5
 │  └ LockLostError            5
 ├ LockTimeoutError            6
 ├ SchemaPastError             7
 ├ SchemaAheadError            7
 ├ SchemaDivergedError         7
 ├ SchemaUnmanagedError        8
 ├ HistoryBrokenError          9
 ├ SeedingFailedError         10
 ├ ServingFailedError         11
 └ EngineError                12
"""

from typing import ClassVar


class BootError(Exception):
    """A failure that was foreseen: one sentence says what happened, the next what to do.

    `what` and `advice` are both whole sentences.
    """

    exit_status: ClassVar[int] = 1

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what, advice)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.what} {self.advice}"

    @property
    def concerns_schema(self) -> bool:
        """Whether MIGRATE_ON_FAILURE decides what `start` does about it."""
        return 5 <= self.exit_status <= 9


class ConfigurationError(BootError):
    """A setting is missing, malformed or not allowed here; or a package is not installed."""

    exit_status = 2


class DatabaseUnreachableError(BootError):
    """No login succeeded before the time was up."""

    exit_status = 3


class LoginRefusedError(BootError):
    """The server answered, and waiting would not change its answer."""

    exit_status = 4


class DatabaseMissingError(LoginRefusedError):
    """The login is good, but the database does not exist."""


class CatalogueUnreadableError(LoginRefusedError):
    """The role may not read the whole schema, and half of one must not be compared."""


class MigrationFailedError(BootError):
    """A revision raised, or reported a success that the database does not show."""

    exit_status = 5


class LockLostError(MigrationFailedError):
    """The session that held the lock died while a revision ran."""


class LockTimeoutError(BootError):
    """Another starter kept the schema for itself too long."""

    exit_status = 6


class SchemaPastError(BootError):
    """The database is at a known revision beyond the target."""

    exit_status = 7


class SchemaAheadError(BootError):
    """The database has revisions that only a newer release knows."""

    exit_status = 7


class SchemaDivergedError(BootError):
    """The database has revisions that cannot be placed in this history."""

    exit_status = 7


class SchemaUnmanagedError(BootError):
    """The database has tables, but nothing says at which revision they are."""

    exit_status = 8


class HistoryBrokenError(BootError):
    """The revisions on disk form no history that can be applied, or not the one that was."""

    exit_status = 9


class SeedingFailedError(BootError):
    """The seed callable raised, or the schema is not ready for it."""

    exit_status = 10


class ServingFailedError(BootError):
    """The port, the application or the data folder cannot be had."""

    exit_status = 11


class EngineError(BootError):
    """There is no container engine, or it refused."""

    exit_status = 12
