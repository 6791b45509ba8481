"""Measure, side by side and in alternating runs: `inv bench`."""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.attacks import attacks
from tests.benchmarks.boot import start, waiting
from tests.benchmarks.commands import commands
from tests.benchmarks.figures import Bench, Figure
from tests.benchmarks.migrations import current_starters, nothing_to_do, starters, upgrade
from tests.benchmarks.reads import reads
from tests.benchmarks.report import as_json, markdown, plot, show
from tests.benchmarks.rivals import RivalMissingError, set_up
from tests.benchmarks.traffic import stalls
from tests.cluster import OWNER, PASSWORD, Cluster, running_cluster

Measure = Callable[[Bench, Cluster, Path, bool], Iterator[Figure]]

MEASURES: dict[str, Measure] = {
    "start": lambda bench, cluster, folder, _quick: start(bench, cluster, folder),
    "current": lambda bench, cluster, folder, quick: nothing_to_do(
        bench, cluster, folder, set_up(), (8, 20) if quick else (8, 100, 1000, 5000)
    ),
    "upgrade": lambda bench, cluster, folder, quick: upgrade(
        bench, cluster, folder, set_up(), (8, 20) if quick else (8, 1000)
    ),
    "wait": lambda bench, cluster, folder, quick: waiting(
        bench if quick else Bench(20, bench.say), cluster, folder
    ),
    "starters": lambda bench, cluster, folder, quick: starters(
        bench, cluster, folder, set_up(), (1, 2) if quick else (1, 2, 4, 8, 16, 32)
    ),
    "crowd": lambda bench, cluster, folder, quick: current_starters(
        bench, cluster, folder, set_up(), 2 if quick else 16
    ),
    "traffic": lambda bench, cluster, folder, quick: stalls(
        bench, cluster, folder, set_up(), 0.2 if quick else 1.0
    ),
    "commands": lambda bench, cluster, folder, _quick: commands(bench, cluster, folder),
    "reads": lambda bench, cluster, folder, quick: reads(bench, cluster, folder, 1 if quick else 3),
    "attacks": lambda bench, cluster, folder, quick: attacks(
        bench.say, cluster, folder, 0.02 if quick else 1.0
    ),
}

_BESIDE_RIVALS = frozenset({"current", "upgrade", "starters", "crowd", "traffic"})
"""What needs the tools to compare with."""

PLOTS = {
    "current": ("A migration with nothing to do", "revisions in the history"),
    "upgrade": ("From an empty database through the history", "revisions"),
    "starters": ("Many starters at once on an empty database", "starters"),
}


def main() -> int:
    """Measure what is asked for; return the exit status."""
    options = _options()
    machine = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processors": os.cpu_count(),
        "kind": platform.machine(),
        "python": platform.python_version(),
        "postgresql": 18,
    }
    bench = Bench(1 if options.quick else options.rounds, _say)
    found: dict[str, list[Figure]] = {}
    chosen = options.only or list(MEASURES)
    try:
        if _BESIDE_RIVALS.intersection(chosen):
            set_up()
    except RivalMissingError as error:
        print(f"The tools to compare with are not all here: {error}", file=sys.stderr)
        return 1
    with TemporaryDirectory(prefix="benchmark-") as folder:
        Path(folder).chmod(0o755)
        for name in chosen:
            with running_cluster(Path(folder) / f"{name}-data", 18) as cluster:
                _as_delivered(cluster)
                measured = MEASURES[name](bench, cluster, Path(folder) / name, options.quick)
                found[name] = list(measured)
    figures = [figure for each in found.values() for figure in each]
    _say("")
    show(figures)
    if options.json:
        options.json.write_text(as_json(figures, machine), encoding="utf-8")
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
        for name in PLOTS.keys() & found.keys():
            svg = plot(*PLOTS[name], found[name])
            (options.plots / f"{name}.svg").write_text(svg, encoding="utf-8")
    if options.markdown:
        print(markdown(figures))
    return 0


def _as_delivered(cluster: Cluster) -> None:
    """Take back what makes the tests' servers quick: what is measured is a real one."""
    for name in ("fsync", "synchronous_commit", "full_page_writes", "scram_iterations"):
        cluster.execute(f"ALTER SYSTEM RESET {name}")
    cluster.execute("ALTER SYSTEM SET max_connections = 200")
    cluster.stop("fast")
    cluster.start()
    cluster.execute(f"ALTER ROLE {OWNER} PASSWORD '{PASSWORD}'")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="inv bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", action="append", choices=list(MEASURES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plots", type=Path)
    parser.add_argument("--markdown", action="store_true")
    return parser.parse_args()


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
    elif line:
        print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
