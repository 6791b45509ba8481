"""Find the revision that a schema equals, or is nearest to, from plain data."""

from collections.abc import Sequence
from dataclasses import dataclass

from alembic_boot.adoption.comparison import Catalogue, Difference, DifferenceKind, compare
from alembic_boot.adoption.other_queries import KINDS


@dataclass(frozen=True)
class HistoryPoint:
    """The schema after one of the revisions, as a replay of the history makes it."""

    revisions: tuple[str, ...]
    """The revisions that Alembic records there: one, or one of each branch."""
    catalogue: Catalogue


@dataclass(frozen=True)
class SchemaMatch:
    """A point of the history, and the differences of a schema from it."""

    revisions: tuple[str, ...]
    differences: tuple[Difference, ...]

    def lines(self) -> tuple[str, ...]:
        """Return the lines for people: the parts of a differing whole table need no lines.

        The keys tell which objects are parts; an index of the table has a key of its own.
        """
        whole = {
            (difference.kind, difference.object.name)
            for difference in self.differences
            if difference.property is None and not difference.object.part
        }
        return tuple(
            str(difference)
            for difference in self.differences
            if not (difference.object.part and (difference.kind, difference.object.name) in whole)
        )


@dataclass(frozen=True)
class SchemaMatches:
    """A schema compared with every point of the history, oldest first; there is at least one."""

    all: tuple[SchemaMatch, ...]

    @property
    def equal(self) -> tuple[tuple[str, ...], ...]:
        """Return the points with exactly this schema."""
        return tuple(it.revisions for it in self.all if not it.differences)

    @property
    def nearest(self) -> SchemaMatch:
        """Return the point with the fewest differences; of several, the newest."""
        return min(reversed(self.all), key=lambda it: len(it.differences))

    @property
    def as_near(self) -> tuple[tuple[str, ...], ...]:
        """Return the points with the fewest differences, oldest first."""
        least = len(self.nearest.differences)
        return tuple(it.revisions for it in self.all if len(it.differences) == least)

    def of(self, revision: str) -> SchemaMatch | None:
        """Return the comparison with one revision, without another branch beside it."""
        return next((it for it in self.all if it.revisions == (revision,)), None)


def match_schema(found: Catalogue, points: Sequence[HistoryPoint]) -> SchemaMatches:
    """Compare a schema with every point of a history, in the order of the revisions."""
    return SchemaMatches(
        tuple(SchemaMatch(it.revisions, differences(found, it.catalogue)) for it in points)
    )


def differences(found: Catalogue, expected: Catalogue) -> tuple[Difference, ...]:
    """Return the differences.

    Objects that are known only by name may exist in a database beyond those of its history, and may
    have existed before it.
    """
    return tuple(
        difference
        for difference in compare(found, expected)
        if not (difference.kind is DifferenceKind.UNEXPECTED and difference.object.kind in KINDS)
    )
