"""Short names of statements, for the journal and the log.

They have no values: a value may be a secret.
"""

from alembic_boot.sql.scanner import Kind, first_tokens

_LONGEST_NAME = 80
"""Characters."""


def name_of(statement: str) -> str:
    """Return the beginning of a statement on one line, with `…` in place of its values."""
    line, end = "", 0
    for token in first_tokens(statement, _LONGEST_NAME + 1):
        gap = " " if line and token.start > end else ""
        is_value = token.kind is Kind.STRING or token.text[0].isdigit()
        line += gap + ("…" if is_value else " ".join(token.text.split()))
        end = token.end
    line = line.rstrip(" ;")
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1].rstrip()}…"
