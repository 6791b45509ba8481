"""A role for one replay, which owns the scratch database and may do nothing outside of it.

A role that the session only takes on (SET ROLE) could be left again by RESET ROLE, so this one logs
in. Its name is that of its scratch database.
"""

import logging
from dataclasses import replace
from secrets import token_hex

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection, encrypt_password

from alembic_boot.adoption.creation import set_for_database
from alembic_boot.adoption.leftover_databases import drop_role
from alembic_boot.errors import BootError
from alembic_boot.output.masking import hide
from alembic_boot.postgres.connection import connected, one_line
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.state.access import asking

_log = logging.getLogger(__name__)

_MAY_CREATE = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"

# Extensions that only a superuser may install.
_UNTRUSTED = """
SELECT e.extname, n.nspname
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE EXISTS (
    SELECT FROM pg_available_extension_versions v
    WHERE v.name = e.extname AND v.superuser AND NOT v.trusted)
"""

# The schema "$user" is that of our role, not of the temporary one.
_SEARCH_PATH = """
SELECT replace(current_setting('search_path'), '"$user"', quote_ident(session_user))
WHERE current_setting('search_path') LIKE '%"$user"%'
"""


def hand_over(real: DatabaseUrl, scratch: DatabaseUrl) -> DatabaseUrl:
    """Give a scratch database to a new role, and return the URL by which that role logs in.

    Return the same URL if our role may not create roles, or if the server or a pooler does not let
    the new role in.
    """
    name, password = scratch.database, token_hex(32)
    hide(password)
    login = {"user": name, "password": password}
    own = replace(scratch.having(**login), password_file=None)
    try:
        with connected(scratch) as connection:
            if not asking(connection)(_MAY_CREATE):
                return scratch
            _install_extensions(real, connection)
            if path := asking(connection)(_SEARCH_PATH):
                set_for_database(connection, name, "search_path", path)
            # The server gets a hash, so the password is not in its log.
            stored = encrypt_password(password, name, connection)
            _execute(
                connection, "CREATE ROLE {0} LOGIN PASSWORD {1} ROLE CURRENT_USER", name, stored
            )
            _execute(connection, "ALTER DATABASE {0} OWNER TO {0}", name)
        with connected(own) as connection:
            if asking(connection)("SELECT session_user::text") == name:
                return own
        cause = "a pooler logs it in as another role"
    except (BootError, psycopg2.Error) as error:
        cause = error.what if isinstance(error, BootError) else one_line(error)
    _log.debug("The replay gets no role of its own: %s", cause)
    with connected(scratch) as connection:
        _execute(connection, "ALTER DATABASE {0} OWNER TO CURRENT_USER", name)
        drop_role(connection, name)
    return scratch


def is_temporary(login: DatabaseUrl) -> bool:
    """Return whether a scratch database's URL logs in as the temporary role."""
    return login.parameters.get("user") == login.database


def _install_extensions(real: DatabaseUrl, connection: Connection) -> None:
    """Install what the history may need and the temporary role may not install."""
    with connected(real) as other, other.cursor() as cursor:
        cursor.execute(_UNTRUSTED)
        extensions = cursor.fetchall()
    for extension, schema in extensions:
        statement = "CREATE EXTENSION IF NOT EXISTS {0} SCHEMA {1} CASCADE"
        try:
            _execute(connection, statement, extension, sql.Identifier(schema))
        except psycopg2.OperationalError:
            raise
        except psycopg2.Error as error:  # its schema may be one that the history makes
            _log.debug("Extension %s is not installed before the replay: %s", extension, error)


def _execute(
    connection: Connection, statement: str, name: str, *more: str | sql.Composable
) -> None:
    parts = [it if isinstance(it, sql.Composable) else sql.Literal(it) for it in more]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(name), *parts))
