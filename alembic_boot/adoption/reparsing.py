"""Send deparsed text of the catalogue through PostgreSQL's parser once more.

Where it was written, `CHECK (status IN ('a', 'b'))` on a varchar is deparsed in one way. After a
dump and restore it is deparsed in another way, and from then on always in that one. So after
another parse the text is the same in every database. For each text an object is created in pg_temp,
which no other session sees and which is rolled back at once. Creating it evaluates nothing, and
needs no more than ACCESS SHARE on the tables that it mentions.
"""

# ruff: noqa: S608 - source cannot be a parameter, and this is PostgreSQL's own output

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import psycopg2
from psycopg2.extensions import cursor as Cursor

from alembic_boot.errors import CatalogueUnreadableError

# Number of objects at once: few round trips to the server, few entries in its lock table.
_BATCH = 100
_SAVEPOINT = "boot_reparsing"
_COLUMN = "boot_reparsed"


@dataclass(frozen=True)
class Trip:
    """A text to parse again, and the place of the result in the answer."""

    text: str
    create: str
    read: str
    """An SQL expression whose value contains the text again."""
    pattern: str
    """A pattern whose group is the text."""


def expression_trip(expression: str, source: str) -> Trip:
    """Return the trip of an expression over a FROM clause; an empty one is for constants.

    IS NULL around it makes the view's column a boolean. A view cannot have a column of type record,
    nor a column without a definite collation.
    """
    query = f"SELECT ({expression}) IS NULL AS {_COLUMN}" + (f" FROM {source}" if source else "")
    return _view_trip(expression, query, rf"\s*SELECT \(\s*(.*) IS NULL\) AS {_COLUMN}\b.*")


def view_trip(query: str) -> Trip:
    """Return the trip of a view's query."""
    return _view_trip(query, query.rstrip(";"), r"\s*(.*);")


def _view_trip(text: str, query: str, pattern: str) -> Trip:
    name = _name(query)
    create = f"CREATE TEMP VIEW {name} AS {query}"
    return Trip(text, create, f"pg_get_viewdef('pg_temp.{name}'::regclass)", pattern)


def body_trip(body: str, signature: str, oid: int) -> Trip:
    """Return the trip of a function's body in standard SQL.

    The copy has the function's name and arguments, because the body may use both.
    """
    return Trip(
        text=body,
        create=f"CREATE {signature} LANGUAGE sql {body}",
        read="(SELECT pg_get_function_sqlbody(copy.oid)"
        " FROM pg_proc copy JOIN pg_proc original USING (proname, proargtypes)"
        f" WHERE original.oid = {oid:d} AND copy.pronamespace = pg_my_temp_schema())",
        pattern=r"\s*(.*)",
    )


def rule_trip(action: str, event: str, table: str) -> Trip:
    """Return the trip of a rule's condition and commands, on an empty copy of its table."""
    name = _name(f"{event} {table} {action}")
    return Trip(
        text=action,
        create=f"CREATE TEMP TABLE {name} (LIKE {table});"
        f"CREATE RULE {name} AS ON {event} TO pg_temp.{name} {action.rstrip(';')}",
        read="(SELECT pg_get_ruledef(oid) FROM pg_rewrite"
        f" WHERE ev_class = 'pg_temp.{name}'::regclass)",
        pattern=rf"CREATE RULE {name} AS\s+ON {event} TO \S+\s+(.*);",
    )


def _name(text: str) -> str:
    return f"boot_{sha256(text.encode()).hexdigest()[:32]}"


def reparse(cursor: Cursor, trips: Iterable[Trip]) -> dict[Trip, str]:
    """Return each text as it is after its trip. Must be called in a transaction."""
    waiting = list(dict.fromkeys(trips))
    parsed: dict[Trip, str] = {}
    for start in range(0, len(waiting), _BATCH):
        batch = waiting[start : start + _BATCH]
        try:
            parsed |= _parse(cursor, batch)
        except psycopg2.OperationalError:
            raise
        except psycopg2.Error:
            # One by one, to find the failing text.
            parsed |= {trip: _parse_alone(cursor, trip) for trip in batch}
    return parsed


def _parse_alone(cursor: Cursor, trip: Trip) -> str:
    try:
        return _parse(cursor, [trip])[trip]
    except psycopg2.OperationalError:
        raise
    except psycopg2.Error as error:
        reason = (error.diag.message_primary or str(error)).strip()
        raise CatalogueUnreadableError(
            f"PostgreSQL could not parse {trip.text!r} again: {reason}.",
            "Reading a schema makes temporary views, in a transaction that is rolled back: "
            "connect to a primary, as a role with the TEMPORARY right on the database and USAGE "
            "of the schemas.",
        ) from error


def _parse(cursor: Cursor, trips: Sequence[Trip]) -> dict[Trip, str]:
    """Create the objects, read them and roll them back, which also releases their locks."""
    cursor.execute(f"SAVEPOINT {_SAVEPOINT}")
    try:
        cursor.execute(";".join(trip.create for trip in trips))
        cursor.execute(f"SELECT {','.join(trip.read for trip in trips)}")
        answers = cursor.fetchone() or ()
    finally:
        if not cursor.connection.closed:
            cursor.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}; RELEASE SAVEPOINT {_SAVEPOINT}")
    return {trip: _found(trip, answer) for trip, answer in zip(trips, answers, strict=True)}


def _found(trip: Trip, answer: str) -> str:
    match = re.fullmatch(trip.pattern, answer, re.DOTALL)
    if match is None:
        raise CatalogueUnreadableError(
            f"PostgreSQL deparsed {trip.text!r} in an unknown form: {answer!r}.",
            "This version of the server is not supported.",
        )
    return match[1]
