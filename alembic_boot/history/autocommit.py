"""Autocommit blocks in a revision's file: they need to be outside of any transaction."""

import ast

from alembic_boot.history.checksum import parse


def has_autocommit_block(source: bytes, function: str) -> bool:
    """Return whether a revision may enter an autocommit block when it runs `function`.

    `function` is `upgrade` or `downgrade`; only the code of the other one is left out. Raises
    SyntaxError.
    """
    return "autocommit_block" in _attributes(source, function)


def commits_itself(source: bytes, function: str) -> bool:
    """Return whether a revision may commit through SQLAlchemy. Raises SyntaxError."""
    return "commit" in _attributes(source, function)


def _attributes(source: bytes, function: str) -> set[str]:
    other = "downgrade" if function == "upgrade" else "upgrade"
    return {
        node.attr
        for part in parse(source).body
        if getattr(part, "name", "") != other
        for node in ast.walk(part)
        if isinstance(node, ast.Attribute)
    }
