"""Create a database like the real one for a replay: encoding, locale and settings."""

import logging
import re
from collections.abc import Mapping

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from alembic_boot.errors import BootError
from alembic_boot.postgres.connection import FOR_DATABASES, connected, one_line
from alembic_boot.postgres.options import DRIVERS, OWN_DRIVER
from alembic_boot.postgres.timeouts import lift
from alembic_boot.postgres.urls import DatabaseUrl

_log = logging.getLogger(__name__)

# Not every supported version has all of these columns; a column that does not apply is null.
_LOCALE = """
SELECT option, value
FROM pg_database d, LATERAL (VALUES
    ('ENCODING', pg_encoding_to_char(d.encoding)),
    ('LC_COLLATE', d.datcollate), ('LC_CTYPE', d.datctype),
    ('LOCALE_PROVIDER', CASE to_jsonb(d) ->> 'datlocprovider'
        WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' END),
    (CASE to_jsonb(d) ->> 'datlocprovider' WHEN 'b' THEN 'BUILTIN_LOCALE' ELSE 'ICU_LOCALE' END,
        coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')),
    ('ICU_RULES', to_jsonb(d) ->> 'daticurules')
) AS options (option, value)
WHERE datname = current_database() AND value IS NOT NULL
"""

# The later ones have priority: those of the database, of this role, of this role in the database.
# The scratch database has all of them, because another role may work there.
_SETTINGS = """
SELECT split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
FROM pg_db_role_setting, unnest(setconfig) AS setting
WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
ORDER BY setrole <> 0, setdatabase <> 0
"""

_PASSED_OVER = ("role", "session_authorization", "default_transaction_read_only")
"""Settings that are not copied: another role has no rights there, and read-only is a limit."""

_ESCAPED, _ESCAPE = re.compile(r"[\\\s]"), r"\\\g<0>"
"""Special characters of libpq's options, and their escape."""


def create_like(real: DatabaseUrl, name: str, template: str = "template0") -> DatabaseUrl:
    """Create a database beside the real one, equal in all that a history may depend on.

    Its content is that of `template`; by default it is empty.

    Return its URL. Raises psycopg2.Error if the role may not create it.
    """
    own: dict[str, str] = {}
    with connected(real, silence=FOR_DATABASES) as connection:
        lift(connection)
        with connection.cursor() as cursor:
            cursor.execute(_LOCALE)
            options = [
                sql.SQL("{} {}").format(sql.SQL(option), sql.Literal(value))
                for option, value in cursor.fetchall()
            ]
            cursor.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                    sql.Identifier(name), sql.Identifier(template), sql.SQL(" ").join(options)
                )
            )
        for setting, value in settings(connection).items():
            if not set_for_database(connection, name, setting, value):
                own[setting] = value
    url = real.with_database(name)
    return _with_options(url, own) if own else url


def settings(connection: Connection) -> dict[str, str]:
    """Return the settings of a database for the sessions of this role."""
    with connection.cursor() as cursor:
        cursor.execute(_SETTINGS)
        return {
            name: _with_public(value) if name == "search_path" else value
            for name, value in cursor.fetchall()
            if name not in _PASSED_OVER and not name.endswith("_timeout")
        }


def _with_public(path: str) -> str:
    """Return a search_path that contains an existing schema, even if others do not exist.

    Schemas that the history does not create do not exist here, but their objects need a place.
    """
    names = [it.strip().strip('"') for it in path.split(",")]
    return path if "public" in names else ", ".join([path] * any(names) + ["public"])


def set_for_database(connection: Connection, database: str, name: str, value: str) -> bool:
    """Set it for all sessions of a database; return whether sessions need nothing more.

    A list is stored as text, which ALTER DATABASE would read as one name. An application's own
    setting can be set for others only by a superuser, but by any role for its session.
    """
    local = sql.SQL("SELECT set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
    lasting = sql.SQL("ALTER DATABASE {} SET {} FROM CURRENT").format(
        sql.Identifier(database), sql.SQL(".").join(map(sql.Identifier, name.split(".")))
    )
    if _can(connection, local, lasting):
        return True
    if "." in name and _can(connection, local):
        return False
    _log.debug("The scratch database cannot have the setting %s", name)
    return True


def _can(connection: Connection, *statements: sql.Composed) -> bool:
    text = sql.SQL("BEGIN; {}; COMMIT").format(sql.SQL("; ").join(statements))
    with connection.cursor() as cursor:
        try:
            cursor.execute(text)
        except psycopg2.OperationalError:
            raise
        except psycopg2.Error as error:
            cursor.execute("ROLLBACK")
            _log.debug("%s", one_line(error))
            return False
    return True


def _with_options(url: DatabaseUrl, own: Mapping[str, str]) -> DatabaseUrl:
    """Return the URL by which sessions have these settings; unchanged if that does not work.

    Not every driver knows libpq's options, and poolers refuse them.
    """
    if DRIVERS[url.driver or OWN_DRIVER].names is not None:
        return url
    settings = [f"-c {name}={_ESCAPED.sub(_ESCAPE, value)}" for name, value in own.items()]
    options = " ".join([*settings, url.parameters.get("options", "")]).rstrip()
    like = url.having(options=options)
    try:
        with connected(like):
            return like
    except BootError as error:
        _log.debug("Sessions cannot be given the settings %s: %s", ", ".join(own), error.what)
        return url
