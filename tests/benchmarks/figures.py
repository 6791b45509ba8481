"""What a benchmark finds: peers' runs side by side, and how they compare."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Run = Callable[[], float]
"""Does the work once and returns what it cost."""


@dataclass(frozen=True)
class Peer:
    """One way to do the work, and what each of its runs cost."""

    name: str
    costs: tuple[float, ...]
    failures: int = 0

    @property
    def median(self) -> float:
        """The run in the middle; not a number where none succeeded."""
        return statistics.median(self.costs) if self.costs else float("nan")


@dataclass(frozen=True)
class Target:
    """What a peer of ours should come to at the most."""

    peer: str
    most: float
    of: Literal["ratio", "median", "p95", "failures"] = "ratio"
    """`ratio` is to the first peer of the figure."""


@dataclass(frozen=True)
class Figure:
    """The same work done by several peers in alternating runs, the limit or the rival first.

    `unit` is that of the costs; `point` says what the work was that a plot puts on its x axis.
    """

    title: str
    unit: str
    peers: tuple[Peer, ...]
    targets: tuple[Target, ...] = ()
    point: int | None = None

    @property
    def base(self) -> Peer:
        """The peer that the others are compared with."""
        return self.peers[0]

    def ratios(self, peer: Peer) -> tuple[float, float, float]:
        """Return the median, the least and the greatest of the ratios, run by run."""
        pairs = zip(peer.costs, self.base.costs, strict=False)
        ratios = [cost / base for cost, base in pairs if base] or [float("nan")]
        return statistics.median(ratios), min(ratios), max(ratios)

    def is_met(self, target: Target) -> bool:
        """Return whether the peer came to no more; False where it never ended well."""
        [peer] = [it for it in self.peers if it.name == target.peer]
        found = {
            "ratio": self.ratios(peer)[0],
            "median": peer.median,
            "p95": percentile(peer.costs, 95) if peer.costs else float("nan"),
            "failures": float(peer.failures),
        }
        return found[target.of] <= target.most


@dataclass
class Bench:
    """How often each is run, and who is told about progress."""

    rounds: int
    say: Callable[[str], None] = field(default=lambda _line: None)

    def alternate(
        self, title: str, runs: Mapping[str, Run], rounds: int | None = None
    ) -> tuple[Peer, ...]:
        """Run all peers in turn, again and again, so that what slows the machine slows them all."""
        costs: dict[str, list[float]] = {name: [] for name in runs}
        count = rounds or self.rounds
        for number in range(count):
            for name, run in runs.items():
                self.say(f"{title}: {name} ({number + 1} of {count})")
                costs[name].append(run())
        return tuple(Peer(name, tuple(found)) for name, found in costs.items())


def percentile(costs: Sequence[float], percent: int) -> float:
    """Return the cost that so many percent of the runs stay within."""
    ordered = sorted(costs)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]
