"""What a `CREATE INDEX CONCURRENTLY` says, and what to do about what it finds."""

import re
from dataclasses import dataclass
from enum import StrEnum

_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'

_BUILD = re.compile(
    rf"""
    (?: \s+ | --[^\n]*\n | /\*.*?\*/ )*
    CREATE \s+ (?P<unique> UNIQUE \s+ )? INDEX \s+ CONCURRENTLY \s+
    (?P<lenient> IF \s+ NOT \s+ EXISTS \s+ )?
    (?P<name> {_NAME} ) \s+ ON \s+ (?: ONLY \s+ )?
    (?P<table> {_NAME} (?: \s* \. \s* {_NAME} )* ) \s*
    (?P<rest> (?: USING \b | \( ) .*? ) [\s;]*
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


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


def parse_build(statement: str) -> IndexBuild | None:
    """Return what a statement builds; None where it is another one, or leaves the name open."""
    match = _BUILD.fullmatch(statement)
    if match is None:
        return None
    return IndexBuild(
        name=match["name"],
        table=match["table"],
        rest=match["rest"],
        is_unique=match["unique"] is not None,
        is_lenient=match["lenient"] is not None,
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
    """For whoever is building it."""
    DROP = "drop"
    BUILD = "build"
    """By the statement as it is: it may be PostgreSQL's to say that there is one already."""
    COMPARE = "compare"
    """Whether it is what the statement would build: then that has been done."""


def next_step(found: Found, *, is_being_built: bool, is_lenient: bool, is_again: bool) -> Step:
    """Return what to do about an index of the name.

    `is_again` says that it may be this very statement that has built it: in an earlier try, or
    in another session that was waited for.
    """
    if is_being_built and found in (Found.INVALID, Found.VALID):
        return Step.WAIT
    if found is Found.INVALID:
        return Step.DROP
    if found is Found.VALID and is_again and not is_lenient:
        return Step.COMPARE
    return Step.BUILD
