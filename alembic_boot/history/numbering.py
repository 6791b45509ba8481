"""Ids of new revisions: a number, so that the files sort, and random letters against collisions.

Numbers of the same width sort as text in the order of their values. So a new history begins with
four digits, and an older one keeps its own width. After its last number of that width (999 of three
digits) the numbers continue with one digit more, and the files no longer sort. Nothing depends on
that: revisions are ordered by their parents.
"""

import re
import secrets

from alembic_boot.history.history import History

_LETTERS = "bcdfghjkmnpqrstvwxz23456789"
"""No vowels, which could make words, and no characters that look like another letter."""

_DRAWN = 4
_WIDTH = 4
"""Digits of the first number of a history."""

_NUMBERED = re.compile(r"([0-9]{1,6})(?![0-9])(?:_\w*)?")
"""A text with more digits is a date or one of Alembic's random ids, not a running number."""

_BEGUN = re.compile(r"(?![0-9a-f]{8,}(?!\w))([0-9]{1,6})(?![0-9])")
"""The number that an id begins with, unless the id looks like a date or a hash."""

_RANDOM = re.compile(rf"[0-9]{{1,6}}_[{_LETTERS}]{{{_DRAWN}}}|[0-9a-f]{{12}}")
"""Random ids, as drawn here and by Alembic."""


def next_id(history: History) -> str | None:
    """Return a new id for a history whose ids are numbered; None leaves the choice to Alembic.

    Two branches that both write a revision get two ids, with the same number.
    An id of another form counts by the number that it begins with: 0002b is 2.
    """
    roots = [revision.id for revision in history.revisions.values() if not revision.parents]
    if not all(map(_NUMBERED.fullmatch, roots)):
        return None
    numbers = [match[1] for match in map(_BEGUN.match, history.revisions) if match]
    width = max(map(len, numbers), default=_WIDTH)
    drawn = "".join(secrets.choice(_LETTERS) for _ in range(_DRAWN))
    return f"{max(map(int, numbers), default=0) + 1:0{width}d}_{drawn}"


def is_drawn(revision: str) -> bool:
    """Return whether an id is random, so that two people never write the same one."""
    return _RANDOM.fullmatch(revision) is not None
