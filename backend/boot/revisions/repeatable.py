"""Whether a statement may run a second time, as where a revision was cut short half way.

Only what is sure counts: a statement that no pattern here knows may not.
"""

import re

_COMMENTS = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)

_STRINGS = re.compile(r"'(?:[^']|'')*'")

_REPEATABLE = re.compile(
    r"""
    (?: SET | RESET | SHOW | SAVEPOINT | RELEASE | ROLLBACK | BEGIN | START | COMMIT | END
      | LOCK | VACUUM | ANALYZE | REINDEX | REFRESH | CLUSTER | CHECKPOINT
      | COMMENT | GRANT | REVOKE ) \b .*
    | EXPLAIN \b (?! .* \b ANALY[SZ]E \b ) .*
    | CREATE \s+ OR \s+ REPLACE \b .*
    | CREATE \s+ [\w\s]*? \b IF \s+ NOT \s+ EXISTS \b .*
    | DROP \s+ [\w\s]*? \b IF \s+ EXISTS \b .*
    | ALTER \s+ TYPE \s+ \S+ \s+ ADD \s+ VALUE \b .*
    | (?: CREATE \s+ (?: UNIQUE \s+ )? | DROP \s+ ) INDEX \s+ CONCURRENTLY \b .*
    | ALTER \s+ TABLE \s+ [^,]* \b (?:
        VALIDATE \s+ CONSTRAINT | ADD \s+ COLUMN \s+ IF \s+ NOT \s+ EXISTS
      | DROP \s+ (?: COLUMN | CONSTRAINT ) \s+ IF \s+ EXISTS
      | (?: SET | DROP ) \s+ (?: NOT \s+ NULL | DEFAULT ) ) \b [^,]*
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)

_READING = re.compile(r"(?:SELECT|VALUES|TABLE)\b", re.IGNORECASE)
_WRITING = re.compile(r"\b(?:INTO|INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
# With its schema, and as it is quoted: those are somebody's own.
_CALLS = re.compile(r'((?:[\w."]|"[^"]*")+)\s*\(')
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
    r"|version|unnest|generate_series|obj_description|col_description"
    r"|quote_(?:ident|literal|nullable)|regexp_(?:matches?|replace|split_to_array|split_to_table))",
    re.IGNORECASE,
)
"""PostgreSQL's own, by their whole names: anybody may call a function of theirs to_cents."""

_VALUES = re.compile(
    r"\b[Ee]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|(\$\w*\$).*?\1|\b\d+(?:\.\d+)?\b", re.DOTALL
)

_LONGEST_NAME = 80
"""Characters."""

_ADD_VALUE = re.compile(r"(ALTER\s+TYPE\s+.+?\s+ADD\s+VALUE)\s+(?!IF\b)", re.IGNORECASE | re.DOTALL)
_DROP_INDEX = re.compile(r"(DROP\s+INDEX\s+CONCURRENTLY)\s+(?!IF\s+EXISTS\b)", re.IGNORECASE)


def is_repeatable(statement: str) -> bool:
    """Return whether a statement that was carried out before does no more, or no harm, again.

    To add an enum's value and to make or drop an index concurrently is among it: that is looked
    at, or said anew, by those who run it again.
    """
    text = _STRINGS.sub("''", _bare(statement))
    if ";" in text:
        return all(map(is_repeatable, filter(str.strip, text.split(";"))))
    if _READING.match(text):
        calls = _CALLS.findall(text)
        return not _WRITING.search(text) and all(map(_HARMLESS.fullmatch, calls))
    return _REPEATABLE.fullmatch(text) is not None


def again(statement: str) -> str:
    """Return what a statement is to be where it may have been carried out before."""
    start = _COMMENTS.match(statement)
    begin = start.end() if start else 0
    comments, text = statement[:begin], statement[begin:]
    if _ADD_VALUE.match(text):
        text = _ADD_VALUE.sub(r"\1 IF NOT EXISTS ", text, count=1)
    elif _DROP_INDEX.match(text):
        text = _DROP_INDEX.sub(r"\1 IF EXISTS ", text, count=1)
    return comments + text


def name_of(statement: str) -> str:
    """Return a statement on one line, without its values, as far as it tells it from others."""
    text = " ".join(_VALUES.sub("…", _bare(statement)).split())
    text = text.partition("'")[0].partition("$$")[0].rstrip()  # one that is not closed
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1].rstrip()}…"


def _bare(statement: str) -> str:
    """Return a statement without the comments before it, and without its last semicolon."""
    return _COMMENTS.sub("", statement, count=1).strip().rstrip(";").rstrip()
