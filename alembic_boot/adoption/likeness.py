"""Which revision a schema is, or is nearest to: plain data in, plain data out."""

from collections.abc import Sequence
from dataclasses import dataclass

from alembic_boot.adoption.comparison import Catalogue, Difference, DifferenceKind, compare
from alembic_boot.adoption.other_queries import KINDS


@dataclass(frozen=True)
class Point:
    """The schema as a replay of the history has it after one of the revisions."""

    revisions: tuple[str, ...]
    """What Alembic records there: one revision, or one of each branch."""
    catalogue: Catalogue


@dataclass(frozen=True)
class Likeness:
    """A point of the history, and in what a schema differs from what is there then."""

    revisions: tuple[str, ...]
    differences: tuple[Difference, ...]

    def lines(self) -> tuple[str, ...]:
        """Return what people need to read: of a whole table its parts need no lines of their own.

        Which the parts are their keys say; an index of the table has one of its own.
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
class Likenesses:
    """A schema beside every point of the history, oldest first; there is at least one."""

    all: tuple[Likeness, ...]

    @property
    def equal(self) -> tuple[tuple[str, ...], ...]:
        """The points that have this very schema."""
        return tuple(it.revisions for it in self.all if not it.differences)

    @property
    def nearest(self) -> Likeness:
        """The point with the fewest differences, of several the newest."""
        return min(reversed(self.all), key=lambda it: len(it.differences))

    @property
    def as_near(self) -> tuple[tuple[str, ...], ...]:
        """The points that no other is nearer than, oldest first."""
        least = len(self.nearest.differences)
        return tuple(it.revisions for it in self.all if len(it.differences) == least)

    def of(self, revision: str) -> Likeness | None:
        """Return how like one revision, with no branch beside it, the schema is."""
        return next((it for it in self.all if it.revisions == (revision,)), None)


def liken(found: Catalogue, points: Sequence[Point]) -> Likenesses:
    """Compare a schema with every point of a history; these are in the revisions' order."""
    return Likenesses(
        tuple(Likeness(it.revisions, _differences(found, it.catalogue)) for it in points)
    )


def _differences(found: Catalogue, expected: Catalogue) -> tuple[Difference, ...]:
    """Return what differs. Of what is known by name only a database may have more than its history
    makes, and have it before.
    """
    return tuple(
        difference
        for difference in compare(found, expected)
        if not (difference.kind is DifferenceKind.UNEXPECTED and difference.object.kind in KINDS)
    )
