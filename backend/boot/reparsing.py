"""Send what the catalogue deparses once more through PostgreSQL's parser.

`CHECK (status IN ('a', 'b'))` on a varchar is deparsed in one way where it was written, in another
after a dump and restore, and from then on always in that one. What takes one trip through the
parser therefore reads the same wherever it comes from. A trip is an object in pg_temp, which no
other session sees and which is rolled back at once; making it evaluates nothing, and takes no
more than ACCESS SHARE on the tables that it mentions.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import cursor as Cursor

from backend.boot.errors import BootError

# So many objects at once: few round trips to the server, few entries in its table of locks.
_BATCH = 100
_SAVEPOINT = "boot_reparsing"
_COLUMN = "boot_reparsed"


class CatalogueUnreadableError(BootError):
    """The schema could not be read as a whole, and half of it must not be compared."""


@dataclass(frozen=True)
class Trip:
    """How to have a text parsed, and where in the answer the text stands again.

    `{name}` stands for the name of the object in pg_temp.
    """

    text: str
    create: str
    read: str
    pattern: str


def expression_trip(expression: str, source: str) -> Trip:
    """Return the trip of an expression over a FROM clause; an empty one is for constants.

    IS NULL around it makes the view's column a boolean, because a view cannot have a column of
    type record, nor one whose collation is open.
    """
    return Trip(
        text=expression,
        create=(
            f"CREATE TEMP VIEW {{name}} AS SELECT ({expression}) IS NULL AS {_COLUMN}"
            + (f" FROM {source}" if source else "")
        ),
        read="pg_get_viewdef('pg_temp.{name}'::regclass)",
        pattern=rf"\s*SELECT \((.*) IS NULL\) AS {_COLUMN}\b.*",
    )


def view_trip(query: str) -> Trip:
    """Return the trip of a view's query."""
    return Trip(
        text=query,
        create=f"CREATE TEMP VIEW {{name}} AS {query.rstrip(';')}",
        read="pg_get_viewdef('pg_temp.{name}'::regclass)",
        pattern=r"\s*(.*);",
    )


def body_trip(body: str, signature: str, oid: str) -> Trip:
    """Return the trip of a function's body in standard SQL.

    The function keeps its name, which the body may qualify its arguments with.
    """
    return Trip(
        text=body,
        create=f"CREATE {signature} LANGUAGE sql {body}",
        read=(
            "(SELECT pg_get_function_sqlbody(copy.oid)"
            " FROM pg_proc copy JOIN pg_proc original USING (proname, proargtypes)"
            f" WHERE original.oid = {oid} AND copy.pronamespace = pg_my_temp_schema())"
        ),
        pattern=r"\s*(.*)",
    )


def rule_trip(action: str, event: str, table: str) -> Trip:
    """Return the trip of a rule's condition and commands, on an empty copy of its table."""
    return Trip(
        text=action,
        create=(
            f"CREATE TEMP TABLE {{name}} (LIKE {table});"
            f"CREATE RULE {_COLUMN} AS ON {event} TO pg_temp.{{name}} {action.rstrip(';')}"
        ),
        read=(
            "(SELECT pg_get_ruledef(oid) FROM pg_rewrite"
            f" WHERE ev_class = 'pg_temp.{{name}}'::regclass AND rulename = '{_COLUMN}')"
        ),
        pattern=rf"CREATE RULE {_COLUMN} AS\s+ON {event} TO \S+\s+(.*);",
    )


def reparse(cursor: Cursor, trips: Iterable[Trip]) -> dict[Trip, str]:
    """Return what each text reads like after its trip. Must be called in a transaction."""
    waiting = list(dict.fromkeys(trips))
    parsed: dict[Trip, str] = {}
    for start in range(0, len(waiting), _BATCH):
        batch = waiting[start : start + _BATCH]
        try:
            parsed |= _parse(cursor, batch)
        except psycopg2.OperationalError:
            raise
        except psycopg2.Error:
            # One by one, to name the culprit.
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
            "connect to a primary, as a role with the TEMPORARY right on the database.",
        ) from error


def _parse(cursor: Cursor, trips: Sequence[Trip]) -> dict[Trip, str]:
    """Create the objects, read them and roll them back, which gives their locks back too."""
    # Plain replacement: the texts are full of braces and percent signs of their own.
    names = [f"boot_reparsed_{number}" for number in range(len(trips))]
    named = list(zip(trips, names, strict=True))
    cursor.execute(f"SAVEPOINT {_SAVEPOINT}")
    try:
        cursor.execute(";".join(trip.create.replace("{name}", name) for trip, name in named))
        cursor.execute("SELECT " + ",".join(t.read.replace("{name}", name) for t, name in named))
        answers = cursor.fetchone() or ()
    finally:
        if not cursor.connection.closed:
            cursor.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            cursor.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
    return {trip: _found(trip, answer) for trip, answer in zip(trips, answers, strict=True)}


def _found(trip: Trip, answer: str) -> str:
    match = re.fullmatch(trip.pattern, answer, re.DOTALL)
    if match is None:
        raise CatalogueUnreadableError(
            f"PostgreSQL deparsed {trip.text!r} in an unknown form: {answer!r}.",
            "This version of the server is not supported.",
        )
    return match[1]
