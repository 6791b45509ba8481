"""Select the schemas and objects of a database that may come from its history."""

from collections.abc import Callable, Sequence, Set

from psycopg2.extensions import connection as Connection

from alembic_boot.adoption.comparison import Catalogue, ObjectKey
from alembic_boot.adoption.given_scratch import MARK
from alembic_boot.adoption.other_queries import OTHERS
from alembic_boot.adoption.reading import IGNORED_TABLES, read_catalogue
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.state.tables import SEARCH_PATH, Extent, search_path

# Schemas on the search_path that contain objects: an empty one (often "$user") would only decide
# which names are unqualified. Then all other schemas with objects. Objects of an extension do not
# count, nor does a sequence that belongs to a table's column.
_SCHEMAS = """
SELECT n.nspname, path.position IS NOT NULL
FROM pg_namespace n
LEFT JOIN unnest(%(path)s::text[]) WITH ORDINALITY path (name, position)
       ON path.name = n.nspname
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND n.nspname <> %(mark)s
  AND EXISTS (
      SELECT FROM (
          SELECT 'pg_class'::regclass, oid, ARRAY['e', CASE relkind WHEN 'S' THEN 'a' END,
                 CASE relkind WHEN 'S' THEN 'i' END]
          FROM pg_class
          WHERE relnamespace = n.oid AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c')
            AND relname <> ALL (%(ignored)s)
          UNION ALL
          SELECT 'pg_type'::regclass, oid, ARRAY['e'] FROM pg_type
          WHERE typnamespace = n.oid AND typtype IN ('e', 'd', 'r')
          UNION ALL
          SELECT 'pg_proc'::regclass, oid, ARRAY['e'] FROM pg_proc WHERE pronamespace = n.oid
      ) object (classid, oid, others)
      WHERE NOT EXISTS (
          SELECT FROM pg_depend d
          WHERE d.classid = object.classid AND d.objid = object.oid
            AND d.deptype = ANY (object.others)))
ORDER BY path.position, n.nspname
"""

Reader = Callable[[Connection, frozenset[str], Sequence[str]], Catalogue]
"""Read schemas without the tables of these names: in full, or only what is quick to read."""

# Names in the first schema are unqualified, as everywhere.
_OTHERS = f"""
SELECT object.type, replace(object.identity, quote_ident(%(first)s) || '.', '')
FROM ({OTHERS}) found, LATERAL pg_identify_object(classid, objid, 0) AS object
"""  # noqa: S608 (the query above)


def read_made(
    connection: Connection,
    version_table: VersionTable,
    setting: str | None,
    reader: Reader,
) -> tuple[Catalogue, frozenset[str]]:
    """Return all objects of a scratch database, and its schemas outside of the search_path.

    `setting` is env.py's search_path, if it is known.
    """
    path, others = _schemas(connection, version_table, setting)
    return _read(reader, connection, version_table, path, others), frozenset(others)


def read_all(connection: Connection, version_table: VersionTable) -> Catalogue:
    """Return the catalogue of a scratch database, without the objects known only by name.

    Names in `public` are always unqualified, so that states of one database can be compared.
    """
    _, others = _schemas(connection, version_table, "public")
    return read_catalogue(connection, _ignored(version_table), ["public", *others])


def read_beside(
    connection: Connection,
    version_table: VersionTable,
    other_schemas: Set[str],
    extent: Extent = SEARCH_PATH,
    reader: Reader = read_catalogue,
) -> Catalogue:
    """Return the catalogue of a database, as far as a history may have made it.

    It contains the schemas on its search_path, and other schemas that count or that the history
    uses.
    """
    path, others = _schemas(connection, version_table, extent.path)
    counting = other_schemas | extent.choose(frozenset(others))
    schemas = [it for it in others if it in counting]
    return _read(reader, connection, version_table, path, schemas)


def _read(
    reader: Reader,
    connection: Connection,
    version_table: VersionTable,
    path: Sequence[str],
    others: Sequence[str],
) -> Catalogue:
    # Names in the first schema are unqualified, and here the first is a schema without objects.
    first = path or [MARK]
    catalogue = reader(connection, _ignored(version_table), [*first, *others])
    with connection.cursor() as cursor:
        cursor.execute(_OTHERS, {"first": first[0]})
        names = [ObjectKey(kind, name) for kind, name in cursor.fetchall()]
    return {**catalogue, **{key: {} for key in names}}


def _schemas(
    connection: Connection, version_table: VersionTable, setting: str | None
) -> tuple[list[str], list[str]]:
    path = search_path(connection, setting)
    ignored = sorted(_ignored(version_table))
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMAS, {"mark": MARK, "ignored": ignored, "path": list(path)})
        rows = cursor.fetchall()
    on_path = [name for name, is_on_path in rows if is_on_path]
    return on_path, [name for name, is_on_path in rows if not is_on_path]


def _ignored(version_table: VersionTable) -> frozenset[str]:
    return IGNORED_TABLES | {version_table.name}
