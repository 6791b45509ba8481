"""What a `CREATE INDEX CONCURRENTLY` says, or a `REINDEX`, and what to do about what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from backend.boot.environment.version_table import quoted
from backend.boot.revisions.sql_text import Kind, Token, statements


@dataclass(frozen=True)
class IndexBuild:
    """A statement's parts, each as SQL writes it."""

    name: str
    table: str
    rest: str
    """From the method, or the columns, to the end."""
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


def parse_build(statement: str) -> IndexBuild | None:
    """Return what a statement builds; None where it is another one, or leaves the name open."""
    words = _Words(_only(statement))
    if not words.take("CREATE"):
        return None
    is_unique = words.take("UNIQUE")
    if not words.take("INDEX", "CONCURRENTLY"):
        return None
    is_lenient = words.take("IF", "NOT", "EXISTS")
    name = None if words.are("ON") else words.take_name()
    if name is None or "." in (it.text for it in name) or not words.take("ON"):
        return None
    words.take("ONLY")
    table = words.take_name()
    if table is None or not words.left:
        return None
    return IndexBuild(
        name=_text(name),
        table=_text(table),
        rest=statement[words.left[0].start : words.left[-1].end],
        is_unique=is_unique,
        is_lenient=is_lenient,
    )


def parse_reindex(statement: str) -> Reindex | None:
    """Return what a statement reindexes concurrently; None where it is another one."""
    words = _Words(_only(statement))
    if not words.take("REINDEX"):
        return None
    options = words.take_parentheses()
    scope = next((it for it in Scope if words.take(it)), None)
    is_concurrent = words.take("CONCURRENTLY") or any(it.says("CONCURRENTLY") for it in options)
    if scope is None or not is_concurrent:
        return None
    return Reindex(scope, _text(words.take_name() or ()))


class _Words:
    """Tokens of a statement, which are taken one after the other as far as they are expected."""

    def __init__(self, left: Sequence[Token]) -> None:
        self.left = left

    def are(self, *words: str) -> bool:
        """Whether these words come next."""
        return len(self.left) >= len(words) and all(
            token.says(word) for token, word in zip(self.left, words, strict=False)
        )

    def take(self, *words: str) -> bool:
        """Take these words, if they come next; return whether they did."""
        if found := self.are(*words):
            self.left = self.left[len(words) :]
        return found

    def take_name(self) -> Sequence[Token] | None:
        """Take a name, with the schema that it may have before it, if one comes next."""
        length = 0
        while self.left[length : length + 1] and _is_name(self.left[length]):
            length += 1
            if not any(it.says(".") for it in self.left[length : length + 1]):
                break
            length += 1
        name, self.left = self.left[:length], self.left[length:]
        return name or None

    def take_parentheses(self) -> Sequence[Token]:
        """Take what is in parentheses, if they come next."""
        ends = [place for place, token in enumerate(self.left) if token.says(")")]
        if not self.are("(") or not ends:
            return ()
        inside, self.left = self.left[1 : ends[0]], self.left[ends[0] + 1 :]
        return inside


def _only(statement: str) -> Sequence[Token]:
    """Return the tokens of a statement; none where there are several, which run as a whole."""
    found = statements(statement)
    return found[0] if len(found) == 1 else ()


def _is_name(token: Token) -> bool:
    return token.kind in (Kind.WORD, Kind.QUOTED)


def _text(tokens: Sequence[Token]) -> str:
    """Return a name as PostgreSQL's own functions read it, which know no escapes (`U&`)."""
    return "".join(
        quoted(token.name) if token.kind is Kind.QUOTED else token.text for token in tokens
    )


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
