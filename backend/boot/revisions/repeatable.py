"""Whether a statement may run a second time, as where a revision was cut short half way.

Only what is sure counts: a statement that no pattern here knows may not. Views, operators and casts
are taken for what they look like: reading.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from backend.boot.revisions.sql_text import Kind, Token, first_tokens, statements

# The patterns are for a statement as `_written` has it: a space between any two tokens.
_PART = r'(?:[A-Z_][\w$]*|"…")'
_NAME = rf"{_PART}(?: \. {_PART})*"

_REPEATABLE = re.compile(
    "|".join(
        [
            r"(?:SET|RESET|SHOW|SAVEPOINT|RELEASE|BEGIN|START|LOCK|COMMENT|GRANT|REVOKE)\b.*",
            r"(?:VACUUM|ANALYZE|REINDEX|REFRESH|CLUSTER|CHECKPOINT)\b.*",
            r"(?:COMMIT|END|ROLLBACK)\b(?! PREPARED).*",
            r"EXPLAIN\b(?!.*\bANALY[SZ]E\b).*",
            r"CREATE OR REPLACE\b.*",
            r"CREATE (?:[A-Z]+ )+?IF NOT EXISTS\b.*",
            r"DROP (?:[A-Z]+ )+?IF EXISTS\b.*",
            rf"ALTER TYPE {_NAME} ADD VALUE IF NOT EXISTS\b.*",
            # Without a name it would get another one, beside what is there.
            rf"CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?!ON\b){_NAME} ON\b.*",
        ]
    )
)

_TABLE = re.compile(rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?{_NAME} (?:\* )?")
_ACTION = re.compile(
    "|".join(
        [
            rf"VALIDATE CONSTRAINT {_NAME}",
            r"ADD (?:COLUMN )?IF NOT EXISTS\b.*",
            rf"DROP (?:COLUMN |CONSTRAINT )?IF EXISTS {_NAME}(?: CASCADE| RESTRICT)?",
            rf"ALTER (?:COLUMN )?{_NAME} (?:(?:SET|DROP) NOT NULL|DROP DEFAULT|SET DEFAULT\b.*)",
        ]
    )
)
_FILLED = re.compile(r"CREATE (?:[A-Z]+ )*?(?:TABLE|MATERIALIZED VIEW) IF NOT EXISTS ")

_READING = re.compile(r"(?:SELECT|VALUES|TABLE)\b")
_WRITING = re.compile(r"\b(?:INTO|INSERT|UPDATE|DELETE|MERGE)\b")
_CALLS = re.compile(rf"({_NAME}) \(")
_HARMLESS = re.compile(
    r"(?:pg_catalog\.)?(?:pg_(?:get_(?:\w+def|expr|serial_sequence|userbyid)|(?:table|type)_is_visible"
    r"|(?:total_)?relation_size|(?:table|indexes|database)_size|size_pretty|typeof|backend_pid"
    r"|is_in_recovery|sleep|(?:try_)?advisory_(?:xact_)?lock(?:_shared)?|advisory_unlock(?:_all)?)"
    r"|to_(?:char|date|number|timestamp|hex|jsonb?|reg(?:class|type|proc|procedure|namespace|role))"
    r"|has_(?:table|column|schema|database|function|sequence|type)_privilege|format|format_type"
    r"|jsonb?_(?:agg|object_agg|build_object|build_array|array_length|typeof)"
    r"|array_(?:agg|length|to_string|position|remove|append|upper|lower)|array"
    r"|string_agg|row_number|rank|over|exists|any|all|in"
    r"|and|or|not|as|on|from|where|when|then|else|using|select|values|filter|within|interval"
    r"|count|min|max|sum|avg|coalesce|nullif|greatest|least|lower|upper|length|trim|concat|concat_ws"
    r"|substring|replace|cast|extract|date_(?:trunc|part)|now|current_(?:setting|schemas?|database)"
    r"|set_config|version|unnest|generate_series|obj_description|col_description"
    r"|quote_(?:ident|literal|nullable)|regexp_(?:matches?|replace|split_to_array|split_to_table))",
    re.IGNORECASE,
)
"""PostgreSQL's own, by their whole names: anybody may call a function of theirs to_cents."""

_FIRST_WORDS = (
    *("SET", "RESET", "SHOW", "SAVEPOINT", "RELEASE", "BEGIN", "START", "LOCK", "VACUUM"),
    *("ANALYZE", "REINDEX", "REFRESH", "CLUSTER", "CHECKPOINT", "COMMENT", "GRANT", "REVOKE"),
    *("COMMIT", "END", "ROLLBACK", "EXPLAIN", "CREATE", "DROP", "ALTER"),
    *("SELECT", "VALUES", "TABLE"),
)

_LONGEST_NAME = 80
"""Characters."""


def is_repeatable(statement: str) -> bool:
    """Return whether a statement that was carried out before does no more, or no harm, again.

    To make an index of a name concurrently is among it: that is looked at by those who run it.
    """
    if not any(it.says(*_FIRST_WORDS, ";") for it in first_tokens(statement, 1)):
        return False  # without reading all of it: it may be data
    found = statements(statement)
    return bool(found) and all(map(_is_repeatable, found))


def again(statement: str) -> str:
    """Return what a statement is to be where it may have been carried out before."""
    parts = statements(statement)
    found = parts[0] if len(parts) == 1 else []
    words = [_written(it) for it in found]
    if words[:3] == ["DROP", "INDEX", "CONCURRENTLY"] and words[3:5] != ["IF", "EXISTS"]:
        return _with(statement, found[2], "IF EXISTS")
    if words[:2] == ["ALTER", "TYPE"] and "VALUE" in words:
        place = words.index("VALUE")
        if words[place - 1] == "ADD" and words[place + 1 : place + 2] != ["IF"]:
            return _with(statement, found[place], "IF NOT EXISTS")
    return statement


def name_of(statement: str) -> str:
    """Return a statement on one line, without its values, as far as it tells it from others."""
    line, end = "", 0
    for token in first_tokens(statement, _LONGEST_NAME + 1):
        gap = " " if line and token.start > end else ""
        is_value = token.kind is Kind.STRING or token.text[0].isdigit()
        line += gap + ("…" if is_value else " ".join(token.text.split()))
        end = token.end
    line = line.rstrip(" ;")
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1].rstrip()}…"


def _is_repeatable(statement: Sequence[Token]) -> bool:
    kinds = [token.kind for token in statement]
    if (Kind.STRING, Kind.STRING) in pairwise(kinds):
        return False  # a string that goes on after a comment: who knows how it is to be read
    words = [_written(token) for token in statement]
    text = " ".join(words)
    if _READING.match(text):
        return _is_reading(text)
    if table := _TABLE.match(text):
        actions = _parts(text[table.end() :].split(" "))
        return all(_ACTION.fullmatch(action) for action in actions)
    if _FILLED.match(text) and (query := _query(words)):
        return _is_reading(query)
    return _REPEATABLE.fullmatch(text) is not None


def _is_reading(text: str) -> bool:
    calls = (call.replace(" ", "") for call in _CALLS.findall(text))
    return (
        _READING.match(text) is not None
        and _WRITING.search(text) is None
        and all(map(_HARMLESS.fullmatch, calls))
    )


def _written(token: Token) -> str:
    """Return a token as the patterns have it: key words in capitals, and no strings or numbers."""
    if token.kind is Kind.STRING:
        return "'…'"
    if token.kind is Kind.QUOTED or not token.text.isascii():
        return '"…"'  # somebody's own
    return "0" if token.text[0].isdigit() else token.text.upper()


def _parts(words: Iterable[str]) -> Iterator[str]:
    """Give what stands between the commas outside of parentheses."""
    part: list[str] = []
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            yield " ".join(part)
            part = []
        else:
            part.append(word)
    yield " ".join(part)


def _query(words: Sequence[str]) -> str | None:
    """Return by which query a table is filled that is made; None where it is by none."""
    depth = 0
    for place, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if word == "AS" and depth == 0:
            return " ".join(words[place + 1 :])
    return None


def _with(statement: str, after: Token, words: str) -> str:
    return f"{statement[: after.end]} {words}{statement[after.end :]}"
