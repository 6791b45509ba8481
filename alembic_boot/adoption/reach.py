"""How far a statement reaches: no further than its database, or to what others have as well.

It is read and not run. Strings count where they are code: the body of a DO or a function, and what
EXECUTE runs.
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

from alembic_boot.sql.scanner import Kind, Token, statements, without_values


class Reach(Enum):
    """Where a statement reaches to, beyond its database."""

    SHARED = "what all databases of the server share"
    OUTSIDE = "another server, or a program"
    UNKNOWN = "what only shows when it is run"


_SHOWN = 60

# A column may be called role or database: `ALTER TABLE t DROP role`.
_BEGIN = r"(?:^|(?<=BEGIN )|(?<=THEN )|(?<=ELSE )|(?<=LOOP )|(?<=> ))"

_SHARED_CATALOGUES = (
    r'"?(?i:pg_(?:authid|auth_members|database|db_role_setting|parameter_acl|replication_origin'
    r"|shdepend|shdescription|shseclabel|subscription|tablespace)\b)"
)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


_PATTERNS = {
    Reach.SHARED: _any(
        rf"{_BEGIN}(?:CREATE|ALTER|DROP) (?:ROLE|USER(?! MAPPING)|GROUP|DATABASE|TABLESPACE)\b",
        rf"{_BEGIN}ALTER SYSTEM\b",
        rf"{_BEGIN}(?:REASSIGN|DROP) OWNED\b",
        r"\bCOMMENT ON (?:DATABASE|TABLESPACE|ROLE)\b",
        r"\bSECURITY LABEL (?:FOR \S+ )?ON (?:DATABASE|TABLESPACE|ROLE)\b",
        r"\b(?:GRANT|REVOKE)\b.*\bON (?:DATABASE|TABLESPACE|PARAMETER)\b",
        # of a role: privileges on something have an ON
        rf"{_BEGIN}(?:GRANT|REVOKE)\b(?:(?!\bON\b).)*\b(?:TO|FROM)\b",
        r"\b(?:UPDATE|INSERT INTO|DELETE FROM|MERGE INTO) (?:ONLY )?"
        rf'(?:"?(?i:pg_catalog)"? \. )?{_SHARED_CATALOGUES}',
    ),
    Reach.OUTSIDE: _any(
        rf"{_BEGIN}(?:CREATE|ALTER|DROP) SUBSCRIPTION\b",
        r"\b(?:COMMENT ON|SECURITY LABEL .*ON) SUBSCRIPTION\b",
        rf"{_BEGIN}ALTER SERVER\b",
        r"\bIMPORT FOREIGN SCHEMA\b",
        rf"{_BEGIN}ALTER FOREIGN DATA WRAPPER\b.*(?<!NO )HANDLER\b",
    ),
    # A library may do anything when it is loaded.
    Reach.UNKNOWN: _any(rf"{_BEGIN}LOAD ''"),
}

_SERVER = re.compile(r"\bCREATE SERVER\b.*\bFOREIGN DATA WRAPPER (\S+)")
_WRAPPER = re.compile(r"\bCREATE FOREIGN DATA WRAPPER (\S+)(?!.*(?<!NO )HANDLER)")
_COPY = re.compile(rf"{_BEGIN}COPY\b")

_SHARED_CALLS = re.compile(
    r"pg_(?:replication_|create_|drop_|copy_|reload_conf|terminate_|cancel_|promote|switch_|rotate_"
    r"|logfile_|file_|read_|ls_|logdir_|stat_file|backup_|start_backup|stop_backup|wal_replay_"
    r"|logical_slot_|sync_|stat_reset_(?:shared|slru|repl|sub)|stat_statements_reset)\w*"
    r"|lo_(?:import|export)"
)
_OUTSIDE_CALLS = re.compile(
    r"dblink\w*|pg_background_\w+|http_(?:get|post|put|patch|delete|head)"
    r"|(?:query_export_to|table_import_from)_s3"
)
_CALLS = {Reach.SHARED: _SHARED_CALLS, Reach.OUTSIDE: _OUTSIDE_CALLS}

_RUNNING_CALLS = re.compile(r"query_to_xml\w*|ts_stat|ts_rewrite|crosstab\w*")
"""Functions that run the text that they are given."""

_FUNCTION = re.compile(r"\bCREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE)\b")
_READABLE = frozenset({"sql", "plpgsql"})
"""Languages whose bodies are read; those in others may run what they like."""


class Found(NamedTuple):
    """Something that reaches far, and the part of the statement that does, without values."""

    reach: Reach
    text: str


class Reaches:
    """Reads the statements of a history, one after the other."""

    def __init__(self) -> None:
        self._idle_wrappers: set[str] = set()
        """Foreign-data wrappers without a handler: nothing can be reached through them."""

    def of(self, text: str, *, is_plpgsql: bool = False) -> Iterator[Found]:
        """Give what reaches beyond its database in a text of any number of statements."""
        for statement in statements(text):
            words = _words(statement)
            yield from self._said(statement, words)
            yield from _called(statement)
            yield from self._run(statement, is_plpgsql=is_plpgsql)
            is_function = _FUNCTION.search(words) is not None
            for body, language in _bodies(statement, is_function=is_function):
                if body.kind is Kind.STRING and language in _READABLE:
                    yield from self.of(body.value, is_plpgsql=language == "plpgsql")
                elif body.kind is Kind.STRING or body.says("%"):  # a parameter of the driver
                    yield _found(Reach.UNKNOWN, statement)

    def _said(self, statement: Sequence[Token], words: str) -> Iterator[Found]:
        """Give what a statement says by its key words."""
        for reach, pattern in _PATTERNS.items():
            if match := pattern.search(words):
                yield _found(reach, statement[_place(words, match) :])
        if match := _WRAPPER.search(words):
            self._idle_wrappers.add(match[1])
        if (match := _SERVER.search(words)) and match[1] not in self._idle_wrappers:
            yield _found(Reach.OUTSIDE, statement[_place(words, match) :])
        if match := _COPY.search(words):
            copy = statement[_place(words, match) :]
            end = _other_end(copy)
            if end is not None and not end.says("STDIN", "STDOUT"):
                yield _found(Reach.OUTSIDE if end.says("PROGRAM") else Reach.SHARED, copy)

    def _run(self, statement: Sequence[Token], *, is_plpgsql: bool) -> Iterator[Found]:
        """Give what is to be said about text that a statement runs."""
        for place, token in enumerate(statement):
            rest = statement[place + 1 :]
            if is_plpgsql and token.says("EXECUTE"):
                text = _until(rest, "INTO", "USING", "LOOP")
                # Of a trigger, and a privilege.
                if not text or text[0].says("FUNCTION", "PROCEDURE", "ON"):
                    continue
            elif _is_call(token, rest) and _RUNNING_CALLS.fullmatch(token.name):
                text = _until(rest[1:])
            else:
                continue
            literals = [it.value for it in text if it.kind is Kind.STRING]
            is_plain = len(text) == len(literals) == 1
            for found in self.of("".join(literals)):
                # A piece of text may be part of a secret in the whole.
                yield found if is_plain else _found(found.reach, statement[place:])
            if not is_plain:
                yield _found(Reach.UNKNOWN, statement[place:])


def _called(statement: Sequence[Token]) -> Iterator[Found]:
    """Give the functions that a statement calls which reach far."""
    for place, token in enumerate(statement):
        if _is_call(token, statement[place + 1 :]):
            for reach, pattern in _CALLS.items():
                if pattern.fullmatch(token.name):
                    yield _found(reach, statement[place:])


def _is_call(token: Token, rest: Sequence[Token]) -> bool:
    return token.kind in (Kind.WORD, Kind.QUOTED) and bool(rest) and rest[0].says("(")


def _bodies(statement: Sequence[Token], *, is_function: bool) -> Iterator[tuple[Token, str]]:
    """Give what stands where the body of a DO or a function does, with its language."""
    language = _language(statement)
    for place, token in enumerate(statement):
        after = statement[place + 1 :]
        if token.says("DO") and after:
            # The language may stand before the body.
            yield after[2 if after[0].says("LANGUAGE") and after[2:] else 0], language or "plpgsql"
        elif is_function and token.says("AS") and after:
            yield after[0], language or "sql"


def _language(statement: Sequence[Token]) -> str | None:
    depth = 0
    for token, after in pairwise(statement):
        depth += token.says("(") - token.says(")")
        if token.says("LANGUAGE") and not depth:  # an argument may be called that
            return after.value.lower() if after.kind is Kind.STRING else after.name
    return None


def _other_end(copy: Sequence[Token]) -> Token | None:
    """Return where a COPY copies to, or from."""
    depth = 0
    for token, after in pairwise(copy):
        depth += token.says("(") - token.says(")")
        if token.says("TO", "FROM") and not depth:
            return after
    return None


def _until(rest: Sequence[Token], *words: str) -> list[Token]:
    """Return an expression: up to one of the words, or to the end of the parentheses it is in."""
    depth = 0
    for place, token in enumerate(rest):
        depth += token.says("(") - token.says(")")
        if depth < 0 or (not depth and token.says(*words)):
            return list(rest[:place])
    return list(rest)


def _words(statement: Sequence[Token]) -> str:
    """Return a statement as one word a token: key words in capitals, no strings."""
    return " ".join(map(_word, statement))


def _word(token: Token) -> str:
    match token.kind:
        case Kind.WORD:
            return token.text.upper()
        case Kind.QUOTED:
            return '"{}"'.format(re.sub(r"\W", "_", token.name.lower()))
        case Kind.STRING:
            return "''"
    return token.text


def _place(words: str, match: re.Match[str]) -> int:
    """Return which token a match begins at."""
    return words.count(" ", 0, match.start())


def _found(reach: Reach, statement: Sequence[Token]) -> Found:
    return Found(reach, without_values(statement)[:_SHOWN])
