"""The tables of the database for the status page, read from the catalogue."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import islice

from psycopg2.extensions import connection as Connection

from alembic_boot.state.tables import CountedTable
from alembic_boot.status_page.report import Column, ForeignKey, Table

MOST_TABLES = 100
MOST_COLUMNS = 100
"""Columns of one table that are shown."""

_COLUMNS = """
SELECT a.attrelid::text, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, EXISTS (
    SELECT FROM pg_constraint p
    WHERE p.conrelid = a.attrelid AND p.contype = 'p' AND a.attnum = ANY (p.conkey))
FROM pg_attribute a
WHERE a.attrelid = ANY (%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

_NAMES = """ARRAY(
    SELECT a.attname::text FROM unnest({key}) WITH ORDINALITY AS part (number, place)
    JOIN pg_attribute a ON a.attrelid = {table} AND a.attnum = part.number ORDER BY place)"""

_FOREIGN_KEYS = f"""
SELECT conrelid::text, confrelid::text,
    {_NAMES.format(key="conkey", table="conrelid")},
    {_NAMES.format(key="confkey", table="confrelid")}
FROM pg_constraint
WHERE contype = 'f' AND conparentid = 0
  AND conrelid = ANY (%(oids)s::oid[]) AND confrelid = ANY (%(oids)s::oid[])
ORDER BY conrelid, conname
"""  # noqa: S608 (constants)


def read_tables(
    connection: Connection, counted: Sequence[CountedTable], differing: Collection[str]
) -> tuple[Table, ...]:
    """Return the first tables with their columns and keys; `differing` are marked."""
    shown = counted[:MOST_TABLES]
    names = {it.oid: it.name for it in shown}
    columns: dict[str, list[Column]] = defaultdict(list)
    keys: dict[str, list[ForeignKey]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, (list(names),))
        for oid, *column in cursor.fetchall():
            columns[oid].append(Column(*column))
        cursor.execute(_FOREIGN_KEYS, {"oids": list(names)})
        for oid, to, from_columns, to_columns in cursor.fetchall():
            keys[oid].append(ForeignKey(tuple(from_columns), names[to], tuple(to_columns)))
    return tuple(
        Table(
            name,
            tuple(islice(columns[oid], MOST_COLUMNS)),
            tuple(islice(keys[oid], MOST_COLUMNS)),
            differs=name in differing,
        )
        for oid, name in names.items()
    )
