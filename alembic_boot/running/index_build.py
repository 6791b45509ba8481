"""Read a `CREATE INDEX CONCURRENTLY` or a `REINDEX`, and decide about an index that is there."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from alembic_boot.sql.parser import Node, Statement, read
from alembic_boot.sql.pieces import pieces
from alembic_boot.sql.statement import is_concurrent
from alembic_boot.sql.writing import quoted

_MOST_PARTS = 5
"""Pieces of a name: database, schema, table and the dots between them."""


@dataclass(frozen=True)
class IndexBuild:
    """The parts of a `CREATE INDEX CONCURRENTLY`, each as SQL writes it."""

    name: str
    table: str
    rest: str
    """The text behind the table's name, to the end."""
    is_unique: bool
    is_lenient: bool
    """Whether the statement says IF NOT EXISTS."""

    def on(self, table: str) -> str:
        """Return the statement that builds the index on another, empty table."""
        unique = "UNIQUE " if self.is_unique else ""
        return f"CREATE {unique}INDEX {self.name} ON {table} {self.rest}"


class Scope(StrEnum):
    """The object of a REINDEX."""

    INDEX = "INDEX"
    TABLE = "TABLE"
    SCHEMA = "SCHEMA"
    DATABASE = "DATABASE"


@dataclass(frozen=True)
class Reindex:
    """A `REINDEX … CONCURRENTLY`, which builds a new index beside each index and replaces it."""

    scope: Scope
    name: str
    """The name as SQL writes it. A database may have none."""


def parse_build(text: str) -> IndexBuild | None:
    """Return the index that a text builds; None if it does something else, or names no index."""
    statement = _only(text)
    if statement is None or statement.kind != "IndexStmt":
        return None
    node = statement.node
    if not node.get("concurrent") or "idxname" not in node:
        return None
    from_table = statement.text(node["relation"]["location"])
    build = IndexBuild(
        name=quoted(node["idxname"]),
        table=_relation(node["relation"]),
        rest=from_table[_name_length(from_table) :].strip(),
        is_unique=bool(node.get("unique")),
        is_lenient=bool(node.get("if_not_exists")),
    )
    # A driver fills in its parameters only when the text runs.
    is_whole = statement.source == text.encode() and read(build.on(build.table)) is not None
    return build if is_whole else None


def parse_reindex(text: str) -> Reindex | None:
    """Return what a text reindexes concurrently; None if it does something else."""
    statement = _only(text)
    if statement is None or statement.kind != "ReindexStmt" or not is_concurrent(text):
        return None
    node = statement.node
    scope = next((it for it in Scope if node["kind"] == f"REINDEX_OBJECT_{it}"), None)
    if scope is None:  # PostgreSQL refuses SYSTEM
        return None
    if "relation" in node:
        return Reindex(scope, _relation(node["relation"]))
    return Reindex(scope, quoted(node["name"]) if "name" in node else "")


def _only(text: str) -> Statement | None:
    """Return the one statement of a text; None if there are several."""
    statements = read(text)
    return statements[0] if statements is not None and len(statements) == 1 else None


def _relation(node: Node) -> str:
    """Return a relation's name as PostgreSQL's own functions read it."""
    return ".".join(quoted(node[part]) for part in ("schemaname", "relname") if part in node)


def _name_length(text: str) -> int:
    """Return the length of the name at the beginning of a text, as it is written."""
    end, is_open = 0, True
    for piece in islice(pieces(text), _MOST_PARTS):
        if not (is_open or piece.says(".")):
            break
        end, is_open = piece.end, piece.says(".")
    return end


class Found(StrEnum):
    """The object that has the name of an index which is to be built."""

    NOTHING = "nothing"
    INVALID = "invalid"
    """An interrupted build left it. No query reads it, and every write pays for it."""
    VALID = "valid"
    OTHER = "other"
    """An object that we leave alone: an index of another table, a table, a part of a partitioned
    index, or its parent, which is not valid before every partition has its part."""


class Step(StrEnum):
    """The next step."""

    WAIT = "wait"
    """Another session builds an index on the table, which may be this one."""
    DROP = "drop"
    KEEP = "keep"
    """IF NOT EXISTS is satisfied. PostgreSQL would wait for the table first."""
    BUILD = "build"
    """Run the statement as it is. PostgreSQL says if there is such an index already."""
    COMPARE = "compare"
    """Compare the index with the one that the statement would build. If equal, it is done."""


def next_step(found: Found, *, is_being_built: bool, is_lenient: bool, is_again: bool) -> Step:
    """Return what to do about an index of the name.

    `is_being_built` says that a session builds an index on the table, which may be this one.
    `is_again` says that this statement may have built the index: in an earlier try, or in another
    session.
    """
    if found is Found.INVALID:
        return Step.WAIT if is_being_built else Step.DROP
    if found is Found.VALID and is_lenient:
        return Step.KEEP
    if found is Found.VALID and is_again:
        return Step.COMPARE
    return Step.BUILD
