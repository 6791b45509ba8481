"""The session that env.py opened, used below SQLAlchemy."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from alembic.runtime.migration import MigrationContext
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from alembic_boot import private_names as private
from alembic_boot.environment.failures import way_out
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import ConfigurationError, LoginRefusedError, MigrationFailedError
from alembic_boot.signals import Stopped
from alembic_boot.sql.writing import literal

_ASTRAY = """
SELECT string_agg(name, ' and ' ORDER BY name) FROM pg_settings
WHERE source = 'session' AND name IN
    ('search_path', 'session_replication_role', 'row_security', 'default_tablespace')
"""
"""The settings that decide where objects are made, and whether they are checked."""

# pg_settings does not have the role, nor its source. A role that the login or the database sets is
# intended.
_ASTRAY_ROLE = """
SELECT CASE WHEN session_user <> a.usename THEN 'session_authorization'
    WHEN current_setting('role') <> coalesce((
        SELECT substr(setting, length('role=') + 1)
        FROM pg_db_role_setting s JOIN pg_database d ON d.datname = current_database(),
            unnest(setconfig) AS setting
        WHERE starts_with(setting, 'role=')
          AND setrole IN (0, a.usesysid) AND setdatabase IN (0, d.oid)
        ORDER BY setrole = 0, setdatabase = 0 LIMIT 1), 'none') THEN 'role' END
FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()
"""

_EQUALS, _END = "\x01", "\x02"

_SETTINGS = """
SELECT string_agg(concat(name, chr(1), setting), chr(2))
FROM (
    SELECT name, setting FROM pg_settings WHERE source = 'session'
    UNION ALL
    SELECT 'role', current_setting('role')) AS own
"""
"""As one text, which every driver reads alike. pg_settings does not have the role."""

COMMIT = "COMMIT"

_ROLLED_BACK = "What its transaction had changed was rolled back."
_NOT_KNOWN = "It is not known whether what it sent last was committed; the next start finds out."


class Observer:
    """The base of observers of the session's queries: it does nothing."""

    def asked(self) -> None:
        """Note that a query begins."""

    def answered(self) -> None:
        """Note that the query has ended."""

    def failed(self, error: Exception, *, is_lost: bool) -> None:
        """Note the query's error, and maybe add a note to it; `is_lost` says that the session is
        gone.
        """


class MigrationSession:
    """Runs statements over the connection of the driver that env.py uses.

    SQLAlchemy would begin a transaction of its own and fire events meanwhile. The statements have
    no parameters, because each driver writes those differently.
    """

    def __init__(self, context: MigrationContext) -> None:
        if context.connection is None:
            raise ConfigurationError(
                "Alembic's env.py configures no connection.",
                "Let it pass one to context.configure(), as Alembic's templates do.",
            )
        self.context = context
        self.connection = context.connection
        self.observer = Observer()
        self.carried: Mapping[str, str] = MappingProxyType({})
        """The SET LOCAL settings of env.py, by name; the role comes last."""

    @property
    def driver_connection(self) -> Any:
        """The driver's own connection."""
        return self.connection.connection.driver_connection

    @property
    def is_one_unit(self) -> bool:
        """True if env.py opened a transaction itself: then all steps are one unit."""
        return private.has_external_transaction(self.context)

    def adopt_transaction(self) -> None:
        """Notice a transaction that env.py has opened after it configured Alembic: also one unit.

        `with connection.begin():` marks the connection with itself; Alembic does not.
        """
        if self.has_begin_block:
            private.set_external_transaction(self.context, True)

    @property
    def has_begin_block(self) -> bool:
        """True inside of env.py's `with connection.begin():`. There only that block may commit."""
        return private.has_begin_block(self.connection)

    @property
    def is_autocommit(self) -> bool:
        """True if each statement is a transaction of its own, as in an autocommit block."""
        dbapi_connection: Any = self.connection.connection.dbapi_connection
        return self.connection.dialect.detect_autocommit_setting(dbapi_connection)

    @property
    def sends_several(self) -> bool:
        """True if the driver sends several statements at once."""
        return self.connection.dialect.driver == "psycopg2"

    @cached_property
    def is_direct(self) -> bool:
        """True if no pooler is between this driver and its server process.

        A pooler tells its clients a process id of its own making.
        """
        driver: Any = self.driver_connection
        if hasattr(driver, "get_server_pid"):  # asyncpg's
            said = driver.get_server_pid()
        else:
            said = getattr(getattr(driver, "info", None), "backend_pid", None)
        return bool(self.ask("SELECT pg_backend_pid()")[0] == said)

    @property
    def has_left_transaction(self) -> bool:
        """True if a revision has ended the transaction as text: SQLAlchemy does not notice."""
        driver: Any = self.driver_connection
        if hasattr(driver, "is_in_transaction"):  # asyncpg's
            return not driver.is_in_transaction()
        info = getattr(driver, "info", None)
        status: Any = getattr(info, "transaction_status", None)
        return bool(status == TRANSACTION_STATUS_IDLE)

    @property
    def is_bare(self) -> bool:
        """True if the next statement is a transaction of its own."""
        return self.is_autocommit or self.has_left_transaction

    def revision_transaction(self) -> AbstractContextManager[Any]:
        """Begin a revision's transaction as Alembic does: none inside of env.py's own."""
        return private.revision_transaction(self.context)

    def forget_transaction(self) -> None:
        """Make SQLAlchemy and Alembic forget a transaction that could not be committed."""
        transaction = self.connection.get_transaction()
        if transaction is not None:
            transaction.rollback()
        private.forget_transaction(self.context)

    def leave_unit(self) -> None:
        """Give each further step a transaction of its own: env.py's transaction has ended."""
        private.set_external_transaction(self.context, False)

    def version_rows(self) -> tuple[str, ...]:
        """Return the rows of the version table, which is made if it is missing."""
        context = self.context
        if context.purge:  # `alembic stamp --purge`
            private.ensure_version_table(context, purge=True)
            return ()
        rows = context.get_current_heads()
        if not rows:
            private.ensure_version_table(context)
        return rows

    def ask(self, query: str, before: tuple[str, ...] = ()) -> Any:
        """Return the first row of a query, or None; `before` are statements to run first.

        A driver that can sends all of them in one round trip.
        """
        statements = (*before, query)
        with self._cursor(_ROLLED_BACK) as cursor:
            for text in ["; ".join(statements)] if self.sends_several else statements:
                cursor.execute(text)
            return cursor.fetchone()

    def tell(self, statement: str) -> int:
        """Run a statement and return how many rows it changed."""
        is_kept = self.is_bare or statement == COMMIT
        with self._cursor(_NOT_KNOWN if is_kept else _ROLLED_BACK) as cursor:
            cursor.execute(statement)
            return int(cursor.rowcount)

    @contextmanager
    def _cursor(self, consequence: str) -> Iterator[Any]:
        """Yield a cursor; tell SQLAlchemy if the connection turns out to be gone.

        `consequence` is the sentence about it for the user.
        """
        fairy = self.connection.connection
        cursor = fairy.cursor()
        self.observer.asked()
        try:
            yield cursor
            self.observer.answered()
        except (Stopped, KeyboardInterrupt):
            self.connection.invalidate()  # cut in mid-statement, as SQLAlchemy does with its own
            raise
        except Exception as error:
            is_lost = self.is_lost(error, cursor)
            self.observer.failed(error, is_lost=is_lost)
            if is_lost:
                self.connection.invalidate(error)
                lines = str(error).strip().splitlines() or [type(error).__name__]
                raise MigrationFailedError(
                    f"The session that runs the migrations is gone: {lines[0].rstrip('.')}.",
                    f"{consequence} {way_out(error)}",
                ) from error
            raise
        finally:
            cursor.close()

    def is_lost(self, error: Any, cursor: Any) -> bool:
        """Return whether a driver's error means that the session is gone."""
        connection = self.connection
        return bool(connection.dialect.is_disconnect(error, connection.connection, cursor))

    def is_lost_by(self, error: Exception) -> bool:
        """Return whether the session is gone after an error, also if SQLAlchemy does not know."""
        return self.connection.invalidated or self.is_lost(error, None)

    def settle(self) -> None:
        """Commit the queries between transactions; a transaction of env.py's own stays open."""
        if not self.is_one_unit:
            self._commit()

    def _commit(self) -> None:
        """Commit below SQLAlchemy, which cannot notice then that the connection is lost.

        It would roll a lost connection back, and log a traceback about that.
        """
        fairy = self.connection.connection
        try:
            fairy.commit()
        except Exception as error:
            if self.is_lost(error, None):
                self.connection.invalidate(error)
            raise

    def backend(self) -> tuple[int, str | None]:
        """Return the server process behind the session and when it began, as SQL writes it.

        The start is hidden from a session that has become another role.
        """
        pid, start = self.ask(
            "SELECT pid, to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00')"
            " FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        )
        return int(pid), start

    def settings(self) -> dict[str, str]:
        """Return the session's own settings; the role comes last, because it limits what may be
        set.
        """
        [text] = self.ask(_SETTINGS)
        pairs = (entry.partition(_EQUALS) for entry in text.split(_END))
        return {name: value for name, _, value in pairs}

    def refuse_astray(self, *, has_begun: bool = False) -> None:
        """Raise ConfigurationError if a pooler's session has a search_path or a role of its own.

        The server does not tell whether env.py or another client has set it. A setting of env.py
        would be lost with the next transaction. With `has_begun` a transaction has just begun, and
        env.py has run nothing in it: then the role is checked as well.
        """
        if self.is_direct:
            return
        for query in (_ASTRAY, _ASTRAY_ROLE) if has_begun else (_ASTRAY,):
            if names := self.ask(query)[0]:
                raise led_astray(names)

    def version_table(self) -> VersionTable:
        """Return the version table, as this session's search_path resolves its name.

        Raises LoginRefusedError if the search_path names no schema that this role may use, and as
        above.
        """
        self.refuse_astray()
        name, schema = self.context.version_table, self.context.version_table_schema
        if schema is None:
            [schema] = self.ask(
                "SELECT coalesce((SELECT nspname FROM pg_namespace n JOIN pg_class c"  # noqa: S608
                " ON c.relnamespace = n.oid"
                f" WHERE c.oid = to_regclass(quote_ident({literal(name)}))), current_schema())"
            )
        if schema is None:
            raise LoginRefusedError(
                "The search_path names no schema that this role may use.",
                "Grant it USAGE on the schema, or set MIGRATION_DATABASE_URL to the owner's.",
            )
        table = VersionTable(name, schema)
        is_there, room = self.ask(table.room_query)
        if not is_there:  # it will be as Alembic, or env.py, describes it
            column: Any = private.version_table(self.context).c.get("version_num")
            room = getattr(getattr(column, "type", None), "length", None)
        return replace(table, room=room)

    def surroundings(self) -> tuple[str, str, bool]:
        """Return the search_path as it is set, the role, and whether the transaction is fresh.

        A fresh transaction has changed nothing, and sees what other sessions commit.
        """
        path, role, is_fresh = self.ask(
            "SELECT current_setting('search_path'), current_user::text,"
            " txid_current_if_assigned() IS NULL"
            " AND current_setting('transaction_isolation') = 'read committed'"
        )
        return str(path), str(role), bool(is_fresh)

    def refuse_other_database(self, is_right: str) -> None:
        """Raise ConfigurationError unless the query is true here, as it is in the right one."""
        if not self.ask(is_right)[0]:
            raise ConfigurationError(
                "Alembic's env.py connects to another database than the one it was given.",
                "Let it take sqlalchemy.url from the Alembic configuration, or set DATABASE_URL "
                "to where it goes. Nothing was changed.",
            )


def led_astray(names: str) -> ConfigurationError:
    """Return the refusal of a pooler's session that has these settings."""
    return ConfigurationError(
        f"The session that the pooler lends has {names} set, by others or by env.py.",
        "Set MIGRATION_DATABASE_URL to the server itself; or set it for the role or the "
        "database, and have the pooler reset its sessions.",
    )
