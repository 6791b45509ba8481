"""Compare a schema with each point of a history, from plain data."""

from collections.abc import Mapping, Sequence

from alembic_boot.adoption.comparison import Catalogue, Difference, DifferenceKind, compare
from alembic_boot.adoption.other_queries import KINDS

Revisions = tuple[str, ...]
"""The revisions that Alembic records at a point of a history: one, or one of each branch."""

Points = Mapping[Revisions, Catalogue]
"""The schemas that a history makes, oldest first; there is at least one."""

Matches = Mapping[Revisions, Sequence[Difference]]
"""The differences of a schema from each point, in the same order."""


def match_schema(found: Catalogue, points: Points) -> Matches:
    """Compare a schema with every point of a history."""
    return {revisions: differences(found, there) for revisions, there in points.items()}


def equal_points(matches: Matches) -> list[Revisions]:
    """Return the points with exactly this schema, oldest first."""
    return [revisions for revisions, differing in matches.items() if not differing]


def nearest_points(matches: Matches) -> list[Revisions]:
    """Return the points with the fewest differences, oldest first."""
    least = min(map(len, matches.values()))
    return [revisions for revisions, differing in matches.items() if len(differing) == least]


def differences(found: Catalogue, expected: Catalogue) -> list[Difference]:
    """Return the differences.

    Objects that are known only by name may exist in a database beyond those of its history, and may
    have existed before it.
    """
    return [
        it
        for it in compare(found, expected)
        if not (it.kind is DifferenceKind.UNEXPECTED and it.object.kind in KINDS)
    ]


def are_beside(differing: Sequence[Difference]) -> bool:
    """Return whether the schema has all that is expected, and more."""
    return all(it.kind is DifferenceKind.UNEXPECTED for it in differing)


def are_of_order(differing: Sequence[Difference]) -> bool:
    """Return whether only the order of enum labels differs: no statement changes that."""
    return all(
        (it.object.kind, it.property) == ("enum", "labels")
        and isinstance(it.found, tuple)
        and isinstance(it.expected, tuple)
        and sorted(it.found) == sorted(it.expected)
        for it in differing
    )


def lines_of(differing: Sequence[Difference]) -> list[str]:
    """Return the lines for people: the parts of a differing whole table need no lines.

    The keys tell which objects are parts; an index of the table has a key of its own.
    """
    whole = {
        (it.kind, it.object.name) for it in differing if it.property is None and not it.object.part
    }
    return [
        str(it) for it in differing if not (it.object.part and (it.kind, it.object.name) in whole)
    ]
