"""Write names and strings as SQL has them."""

from typing import Any


def quoted(identifier: str) -> str:
    """Return an identifier in quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a string constant, for statements that any driver must be able to send."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def constant(text: str) -> str:
    """Return a string constant as people write it; a server reads backslashes as they are."""
    return "'" + text.replace("'", "''") + "'"


def value(it: str | int | None) -> str:
    """Return a constant of any of these types."""
    if it is None:
        return "NULL"
    return literal(it) if isinstance(it, str) else str(it)


def name(parts: list[dict[str, Any]]) -> str:
    """Return a name, with its schema if it has one, from the parser's list of its parts."""
    return ".".join(quoted(part["String"]["sval"]) for part in parts)
