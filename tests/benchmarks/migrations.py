"""What migrating costs: where there is nothing to do, where there is much, and for many at once."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.figures import Bench, Figure, Peer, Target
from tests.benchmarks.histories import Histories, Tool
from tests.benchmarks.rivals import Rivals
from tests.cluster import Cluster


def _timed(tool: Tool, url: str) -> float:
    begun = time.perf_counter()
    tool.run(url)
    return time.perf_counter() - begun


def nothing_to_do(
    bench: Bench, cluster: Cluster, folder: Path, rivals: Rivals, counts: tuple[int, ...]
) -> Iterator[Figure]:
    """A migration of a current schema, as the history grows."""
    histories = Histories(folder, rivals)
    with cluster.database() as database:
        url = cluster.url(database)
        for count in counts:
            histories.add(count)
            bench.say(f"nothing to do: making {count} revisions")
            histories.inv.run(url)
            histories.inv.run(url)
            cluster.execute("DROP TABLE IF EXISTS schema_migrations, django_migrations", database)
            histories.pretend(cluster, database)
            tools = {
                "alembic upgrade head": histories.alembic,
                "inv migrate": histories.inv,
                "dbmate up": histories.dbmate,
                "django migrate": histories.django,
            }
            runs = {name: _runner(tool, url) for name, tool in tools.items()}
            peers = bench.alternate(f"nothing to do at {count}", runs)
            title = f"nothing to do, {count:,} revisions"
            targets = (Target("inv migrate", 0.2),) if count == 5000 else ()
            yield Figure(title, "s", peers, targets, count)


def _runner(tool: Tool, url: str) -> Callable[[], float]:
    return lambda: _timed(tool, url)


def upgrade(
    bench: Bench, cluster: Cluster, folder: Path, rivals: Rivals, counts: tuple[int, ...]
) -> Iterator[Figure]:
    """From an empty database through a whole history."""
    histories = Histories(folder, rivals)
    for count in counts:
        histories.add(count)
        tools = {
            "alembic, one transaction a revision": histories.alembic,
            "inv migrate": histories.inv,
            "alembic, one transaction": histories.alembic_at_once,
            "dbmate up": histories.dbmate,
            "django migrate": histories.django,
        }

        def runner(tool: Tool) -> Callable[[], float]:
            def once() -> float:
                with cluster.database() as database:
                    return _timed(tool, cluster.url(database))

            return once

        runs = {name: runner(tool) for name, tool in tools.items()}
        # A thousand tables a run, and what dropping them costs, bound how often it is done.
        rounds = bench.rounds if count < 100 else min(bench.rounds, 3)
        peers = bench.alternate(f"upgrade through {count}", runs, rounds)
        targets = (Target("inv migrate", 1.1 if count < 100 else 1.5),)
        yield Figure(f"upgrade from empty, {count:,} revisions", "s", peers, targets, count)


def starters(
    bench: Bench, cluster: Cluster, folder: Path, rivals: Rivals, counts: tuple[int, ...]
) -> Iterator[Figure]:
    """Many at once on an empty database, to the end of the last; and ours on a current one."""
    histories = Histories(folder, rivals)
    histories.add(8)
    tools = {
        "inv migrate": histories.inv,
        "alembic upgrade head": histories.alembic,
        "dbmate up": histories.dbmate,
        "django migrate": histories.django,
    }
    for count in counts:
        failures = dict.fromkeys(tools, 0)
        runs = {
            "inv migrate, schema current": _crowd(
                cluster, histories.inv, count, lambda _failed: None, is_current=True
            )
        }
        for name, tool in tools.items():

            def note(failed: int, name: str = name, found: dict[str, int] = failures) -> None:
                found[name] += failed

            runs[name] = _crowd(cluster, tool, count, note)
        peers = bench.alternate(f"{count} starters", runs, min(bench.rounds, 3))
        counted = tuple(Peer(it.name, it.costs, failures.get(it.name, 0)) for it in peers)
        targets: tuple[Target, ...] = (Target("inv migrate", 0, "failures"),)
        if count >= 8:
            targets += (Target("inv migrate", 1.3),)
        many = f"{count} starters at once" if count > 1 else "1 starter"
        yield Figure(f"{many}, empty database", "s", counted, targets, count)


def _crowd(
    cluster: Cluster,
    tool: Tool,
    count: int,
    note: Callable[[int], None],
    *,
    is_current: bool = False,
) -> Callable[[], float]:
    """Return what starts so many at once and waits for the last; `note` is told how many failed."""

    def once() -> float:
        with cluster.database() as database:
            url = cluster.url(database)
            for _ in range(2 if is_current else 0):
                tool.run(url)
            begun = time.perf_counter()
            processes = [tool.start(url) for _ in range(count)]
            note(sum(_status(process) != 0 for process in processes))
            return time.perf_counter() - begun

    return once


def _status(process: subprocess.Popen[bytes]) -> int:
    with process:
        return process.wait(300)
