"""Where an Alembic project records its revision."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VersionTable:
    """A table by its name; env.py decides on both parts.

    `schema` is None only as long as nobody has looked: it is then the first on the search_path
    that has the table.
    """

    name: str = "alembic_version"
    schema: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """The parts of the name, for `psycopg2.sql.Identifier`."""
        return (self.name,) if self.schema is None else (self.schema, self.name)

    def __str__(self) -> str:
        return ".".join(quoted(part) for part in self.path)

    def beside(self, name: str) -> str:
        """Return another table of the same schema, as SQL writes it."""
        return ".".join(quoted(part) for part in (*self.path[:-1], name))


def quoted(identifier: str) -> str:
    """Return an identifier as SQL writes it."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a string as SQL writes it, for statements that any driver must be able to send."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"
