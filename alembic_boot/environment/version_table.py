"""The version table, in which an Alembic project records its revisions."""

from dataclasses import dataclass, field

from alembic_boot.sql.writing import literal, quoted

_ROOM = """
SELECT to_regclass({name}) IS NOT NULL, (
    SELECT modifier - 4
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    CROSS JOIN LATERAL (
        SELECT CASE typtype WHEN 'd' THEN typbasetype ELSE atttypid END,
               CASE typtype WHEN 'd' THEN typtypmod ELSE atttypmod END) AS kind (type, modifier)
    WHERE attrelid = to_regclass({name}) AND attname = 'version_num' AND modifier > 4
      AND kind.type IN ('varchar'::regtype, 'bpchar'::regtype))
"""


@dataclass(frozen=True)
class VersionTable:
    """A table by its name and schema, which env.py decides.

    `schema` is None before the first look: then the search_path decides.
    """

    name: str = "alembic_version"
    schema: str | None = None
    room: int | None = field(default=None, compare=False)
    """The characters that a revision's id may have; None is any number, or not known."""

    @property
    def path(self) -> tuple[str, ...]:
        """The parts of the name, for `psycopg2.sql.Identifier`."""
        return (self.name,) if self.schema is None else (self.schema, self.name)

    def __str__(self) -> str:
        return ".".join(quoted(part) for part in self.path)

    @property
    def room_query(self) -> str:
        """The query, without parameters, for the table's existence and the room in its column."""
        return _ROOM.format(name=literal(str(self)))

    def beside(self, name: str) -> str:
        """Return another table of the same schema, as SQL writes it."""
        return ".".join(quoted(part) for part in (*self.path[:-1], name))
