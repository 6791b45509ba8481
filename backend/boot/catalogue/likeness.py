"""Which revision a schema is, or is nearest to: plain data in, plain data out."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.boot.catalogue.comparison import Catalogue, Difference, compare


@dataclass(frozen=True)
class Likeness:
    """A revision, and in what a schema differs from what it makes."""

    revision: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Likenesses:
    """A schema beside every revision, oldest first."""

    all: tuple[Likeness, ...]

    @property
    def equal(self) -> tuple[str, ...]:
        """The revisions that make this very schema."""
        return tuple(it.revision for it in self.all if not it.differences)

    @property
    def nearest(self) -> Likeness | None:
        """The revision with the fewest differences, of several the newest; None without any."""
        return min(reversed(self.all), key=lambda it: len(it.differences), default=None)

    def of(self, revision: str) -> Likeness | None:
        """Return how like one revision the schema is."""
        return next((it for it in self.all if it.revision == revision), None)


def liken(found: Catalogue, history: Mapping[str, Catalogue]) -> Likenesses:
    """Compare a schema with what each revision makes; `history` is in the revisions' order."""
    return Likenesses(
        tuple(
            Likeness(revision, compare(found, expected)) for revision, expected in history.items()
        )
    )
