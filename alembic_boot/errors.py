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
 │  └ SeveralHeadsError        9
 ├ SeedingFailedError         10
 ├ ServingFailedError         11
 └ EngineError                12
"""

from collections.abc import Sequence
from typing import ClassVar

from alembic_boot.commands import as_typed, setting


class BootError(Exception):
    """A foreseen failure: one sentence says what happened, the next what to do.

    `what` and `advice` are both whole sentences.
    """

    exit_status: ClassVar[int] = 1
    words: str = "Something failed that the log tells of."
    """The public text: without the name of a host, a user, a file or a role.

    `{}` is replaced by the command, and `{target}` by the setting of that name.
    """
    command: str = ""
    """The command that helps, if there is one."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what, advice)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.what} {self.advice}"

    @property
    def public(self) -> str:
        """Return the public text, with the command as it works here."""
        command = as_typed(self.command, is_public=True)
        return self.words.format(f"`{command}`", target=setting("TARGET"))

    @property
    def concerns_schema(self) -> bool:
        """Return whether `OnFailure` decides what `start` does after this error."""
        return 5 <= self.exit_status <= 9


class ConfigurationError(BootError):
    """A setting is missing, malformed or not allowed here; or a package is not installed."""

    exit_status = 2
    words = "A setting is wrong, or a package is missing. The log says which."


class DatabaseUnreachableError(BootError):
    """No login succeeded before the timeout."""

    exit_status = 3
    words = (
        "The database does not answer. Check that it runs and can be reached; the log says where."
    )


class LoginRefusedError(BootError):
    """The server answered, and waiting would not change its answer."""

    exit_status = 4
    words = "The role may not do what this needs. The log says which right to grant."


class RowsHiddenError(LoginRefusedError):
    """Row level security may hide rows from the role. A part must not be taken for the whole."""

    words = "Row level security may hide rows from the role. The log says which, and what helps."


class DatabaseMissingError(LoginRefusedError):
    """The login is good, but the database does not exist."""

    words = "The database does not exist. Create it; the log names it."


class CatalogueUnreadableError(LoginRefusedError):
    """The role cannot read the whole schema, and a part of a schema must not be compared."""


class MigrationFailedError(BootError):
    """A revision raised, or reported a success that the database does not show."""

    exit_status = 5
    words = "A migration failed. The log says which and why: fix it, and run {}."
    command = "migrate"


class LockLostError(MigrationFailedError):
    """The session that held the lock died while a revision ran."""


class LockTimeoutError(BootError):
    """Another starter held the schema's lock for too long."""

    exit_status = 6
    words = (
        "Another starter kept the schema for itself too long. The log names it: end it, and run {}."
    )
    command = "migrate"


class SchemaPastError(BootError):
    """The database is at a known revision beyond the target."""

    exit_status = 7
    words = "The schema is beyond the target. Set {target}, or go down with {}."
    command = "rollback"


class SchemaAheadError(BootError):
    """The database has revisions that only a newer release knows."""

    exit_status = 7
    words = (
        "The schema is ahead of this release. Deploy the release that it is for; the log says more."
    )


class SchemaDivergedError(BootError):
    """The database has revisions that cannot be placed in this history."""

    exit_status = 7
    words = (
        "The schema has revisions that are not in the history of this release. The log says "
        "what to do."
    )


class SchemaUnmanagedError(BootError):
    """The database has tables, but no recorded revision."""

    exit_status = 8
    words = "The database has tables but no revision recorded. See {}."
    command = "adopt --dry-run"


class HistoryBrokenError(BootError):
    """The revisions on disk are no valid history, or differ from the applied ones."""

    exit_status = 9
    words = (
        "The revisions on disk are broken, or not those that were applied. The log names the "
        "file, and what to do."
    )


class SeveralHeadsError(HistoryBrokenError):
    """The history has several heads, and the target is its one head."""

    def __init__(self, heads: Sequence[str], advice: str, join: str) -> None:
        """Take also the command that joins the heads."""
        super().__init__(f"The history has {len(heads)} heads: {', '.join(heads)}.", advice)
        self.words = f"The history has {len(heads)} heads. Join them with {{}}."
        self.command = join


class SeedingFailedError(BootError):
    """The seed callable raised, or the schema is not ready for it."""

    exit_status = 10
    words = "Seeding failed. The log says why."


class ServingFailedError(BootError):
    """The port, the application or the data folder cannot be used."""

    exit_status = 11
    words = "This cannot be served. The log says why."


class EngineError(BootError):
    """There is no container engine, or it refused."""

    exit_status = 12
    words = "The container engine refused. The log says why."


def some(names: Sequence[str], most: int = 5) -> str:
    """Return the first of several names for a sentence, and the number of further ones."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
