"""What a `CREATE INDEX CONCURRENTLY` says, or a `REINDEX`, and what to do about what it finds."""

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
    """Whether it says IF NOT EXISTS."""

    def on(self, table: str) -> str:
        """Return the statement that builds it on another table, which nobody else uses."""
        unique = "UNIQUE " if self.is_unique else ""
        return f"CREATE {unique}INDEX {self.name} ON {table} {self.rest}"


class Scope(StrEnum):
    """What a REINDEX says it is for."""

    INDEX = "INDEX"
    TABLE = "TABLE"
    SCHEMA = "SCHEMA"
    DATABASE = "DATABASE"


@dataclass(frozen=True)
class Reindex:
    """A `REINDEX … CONCURRENTLY`, which builds beside each index another one in its place."""

    scope: Scope
    name: str
    """As SQL writes it; of the database it may be missing."""


def parse_build(text: str) -> IndexBuild | None:
    """Return what a statement builds; None if it is another one, or leaves the name open."""
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
    """Return what a statement reindexes concurrently; None if it is another one."""
    statement = _only(text)
    if statement is None or statement.kind != "ReindexStmt" or not is_concurrent(text):
        return None
    node = statement.node
    scope = next((it for it in Scope if node["kind"] == f"REINDEX_OBJECT_{it}"), None)
    if scope is None:  # SYSTEM, which PostgreSQL refuses
        return None
    if "relation" in node:
        return Reindex(scope, _relation(node["relation"]))
    return Reindex(scope, quoted(node["name"]) if "name" in node else "")


def _only(text: str) -> Statement | None:
    """Return the one statement of a text; None if there are several, which run as a whole."""
    statements = read(text)
    return statements[0] if statements is not None and len(statements) == 1 else None


def _relation(node: Node) -> str:
    """Return a relation's name as PostgreSQL's own functions read it."""
    return ".".join(quoted(node[part]) for part in ("schemaname", "relname") if part in node)


def _name_length(text: str) -> int:
    """Return the length of the name that a text begins with, as it is written."""
    end, is_open = 0, True
    for piece in islice(pieces(text), _MOST_PARTS):
        if not (is_open or piece.says(".")):
            break
        end, is_open = piece.end, piece.says(".")
    return end


class Found(StrEnum):
    """What has the name of an index that is to be built."""

    NOTHING = "nothing"
    INVALID = "invalid"
    """What a build left that was cut short. Nothing reads it, and every write pays for it."""
    VALID = "valid"
    OTHER = "other"
    """What is not ours to touch: another table's, a table, a part of a partitioned index, or the
    parent of one, which is not valid before every partition has its part."""


class Step(StrEnum):
    """What comes next."""

    WAIT = "wait"
    """For whoever is building on the table: it may be this one."""
    DROP = "drop"
    KEEP = "keep"
    """As IF NOT EXISTS has it, whatever it is. PostgreSQL would wait for its table first."""
    BUILD = "build"
    """By the statement as it is: it may be PostgreSQL's to say that there is one already."""
    COMPARE = "compare"
    """Whether it is what the statement would build: then that has been done."""


def next_step(found: Found, *, is_being_built: bool, is_lenient: bool, is_again: bool) -> Step:
    """Return what to do about an index of the name.

    `is_being_built` says that somebody builds an index on the table, which may be this one, and
    `is_again` that it may be this very statement that has built it: in an earlier try, or in
    another session.
    """
    if found is Found.INVALID:
        return Step.WAIT if is_being_built else Step.DROP
    if found is Found.VALID and is_lenient:
        return Step.KEEP
    if found is Found.VALID and is_again:
        return Step.COMPARE
    return Step.BUILD
