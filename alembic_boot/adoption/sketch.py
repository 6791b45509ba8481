"""Read schemas quickly, to see that two of them are different.

An outline has the relations' names and how many columns they have. A sketch has each object's key
and a digest of what needs no parsing again. Both are made of nothing but what a full reading
returns, so two equal schemas have equal outlines and sketches. Two different schemas may have equal
ones too: expressions, views' queries and bodies in standard SQL are left out.
"""

from functools import partial

from psycopg2.extensions import cursor as Cursor

from alembic_boot.adoption.comparison import Catalogue, ObjectKey, Value
from alembic_boot.adoption.reading import QUERIES, WHOLE, Parameters, read_by

# Owned sequences have names that say nothing.
_OUTLINE = """
SELECT 'relation', oid::regclass::text, '', 'columns', (
  SELECT count(*)::text FROM pg_attribute
  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)
FROM pg_class c
WHERE oid = ANY (%(relations)s) AND relkind <> 'S'
"""

# A property without a value is the same as none. The two databases may differ in their encoding.
_DIGEST = """
SELECT kind, name, part, '{number}',
  md5(convert_to(jsonb_strip_nulls(properties)::text, 'UTF8'))
FROM ({query}) AS object (kind, name, part, properties)
"""

_SKETCH = "UNION ALL".join(
    _DIGEST.format(number=number, query=query)
    for number, query in enumerate([*QUERIES, *(query for query, _, _ in WHOLE)])
)


def _read(query: str, cursor: Cursor, parameters: Parameters) -> Catalogue:
    """Return what the schemas hold, as `read_catalogue` does, as far as the query tells it."""
    objects: dict[ObjectKey, dict[str, Value]] = {}
    cursor.execute(query, parameters)
    for kind, name, part, property_, value in cursor.fetchall():
        # Two queries may add to one object.
        objects.setdefault(ObjectKey(kind, name, part), {})[property_] = value
    return objects


read_outline = partial(read_by, partial(_read, _OUTLINE))
read_sketch = partial(read_by, partial(_read, _SKETCH))
