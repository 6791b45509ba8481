"""What PostgreSQL itself says of a schema, in a form that two schemas can be compared in."""

from sqlalchemy import Connection, text

# The version table is Alembic's; where columns stand among each other is history's, not schema's.
_QUERY = text(
    """
    WITH tables AS (
        SELECT oid, relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
          AND relkind = 'r' AND relname <> 'alembic_version'
    )
    SELECT format('table %s', relname) FROM tables
    UNION ALL
    SELECT format('column %s.%s %s%s default %s', relname, attname,
        format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN ' not null' ELSE '' END,
        pg_get_expr(adbin, adrelid))
    FROM tables JOIN pg_attribute ON attrelid = tables.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    UNION ALL
    SELECT format('constraint %s on %s: %s', conname, relname, pg_get_constraintdef(con.oid))
    FROM tables JOIN pg_constraint AS con ON conrelid = tables.oid
    UNION ALL
    SELECT pg_get_indexdef(indexrelid) FROM tables JOIN pg_index ON indrelid = tables.oid
    UNION ALL
    SELECT format('enum %s: %s', typname, string_agg(enumlabel, ', ' ORDER BY enumsortorder))
    FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid GROUP BY typname
    """
)


def catalogue(connection: Connection) -> list[str]:
    """Return a sentence for each table, column, constraint, index and enum type."""
    return sorted(connection.scalars(_QUERY))


def table_names(connection: Connection) -> list[str]:
    """Return the tables without Alembic's own."""
    prefix = "table "
    return [line.removeprefix(prefix) for line in catalogue(connection) if line.startswith(prefix)]
