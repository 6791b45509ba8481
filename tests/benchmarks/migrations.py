"""What migrating costs: where there is nothing to do, where there is much, and for many at once."""

import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.figures import Bench, Figure, Peer, Target
from tests.benchmarks.histories import Histories, Tool
from tests.benchmarks.rivals import Rivals
from tests.cluster import Cluster

_WITHOUT_JOURNAL = "inv migrate, brought there by alembic"

_OURS = ("inv migrate", _WITHOUT_JOURNAL)


def _timed(tool: Tool, url: str) -> float:
    begun = time.perf_counter()
    tool.run(url)
    return time.perf_counter() - begun


def nothing_to_do(
    bench: Bench, cluster: Cluster, folder: Path, rivals: Rivals, counts: tuple[int, ...]
) -> Iterator[Figure]:
    """A migration of a current schema, as the history grows; and how much that growth costs.

    One database is brought there by boot, which keeps a journal, the other one by plain Alembic.
    """
    histories = Histories(folder, rivals)
    found: list[tuple[Peer, ...]] = []
    with cluster.database() as database, cluster.database() as plain:
        url, plain_url = cluster.url(database), cluster.url(plain)
        for count in counts:
            histories.add(count)
            bench.say(f"nothing to do: making {count} revisions")
            histories.inv.run(url)
            histories.alembic.run(plain_url)
            cluster.execute("DROP TABLE IF EXISTS schema_migrations, django_migrations", database)
            histories.pretend(cluster, database)
            runs = {
                "alembic upgrade head": _runner(histories.alembic, url),
                "inv migrate": _runner(histories.inv, url),
                _WITHOUT_JOURNAL: _runner(histories.inv, plain_url),
                "dbmate up": _runner(histories.dbmate, url),
                "django migrate": _runner(histories.django, url),
            }
            peers = bench.alternate(f"nothing to do at {count}", runs)
            found.append(peers)
            title = f"nothing to do, {count:,} revisions"
            targets = tuple(Target(name, 0.4) for name in _OURS) if count == 5000 else ()
            yield Figure(title, "s", peers, targets, count)
    grown = tuple(
        Peer(last.name, tuple(max(cost - first.median, 0.0) for cost in last.costs))
        for first, last in zip(found[0], found[-1], strict=True)
    )
    targets = tuple(Target(name, 0.3, "median") for name in _OURS)
    title = f"nothing to do: what {counts[-1] - counts[0]:,} revisions more cost"
    yield Figure(title, "s", grown, targets)


def _runner(tool: Tool, url: str) -> Callable[[], float]:
    return lambda: _timed(tool, url)


_SIMPLEST = "SELECT 1"
"""What a revision costs at the least: then all that a tool adds shows most."""


def upgrade(
    bench: Bench, cluster: Cluster, folder: Path, rivals: Rivals, counts: tuple[int, ...]
) -> Iterator[Figure]:
    """From an empty database through a whole history: of tables, and of the simplest statements.

    The targets are against Alembic with `transaction_per_migration`, which commits as often.
    """
    tables = Histories(folder / "tables", rivals)
    simplest = Histories(folder / "simplest", rivals)
    for count in counts:
        tables.add(count)
        title = f"upgrade from empty, {count:,} revisions"
        yield replace(_upgrade(bench, cluster, tables, title), point=count)
    simplest.add(counts[-1], lambda _number: _SIMPLEST)
    title = f"upgrade from empty, {counts[-1]:,} revisions of {_SIMPLEST}"
    yield _upgrade(bench, cluster, simplest, title)


def _upgrade(bench: Bench, cluster: Cluster, histories: Histories, title: str) -> Figure:
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
    is_short = histories.count < 100
    # A thousand tables a run, and what dropping them costs, bound how often it is done.
    rounds = bench.rounds if is_short else min(bench.rounds, 3)
    peers = bench.alternate(title, runs, rounds)
    targets = (Target("inv migrate", 1.1 if is_short else 1.15),)
    return Figure(title, "s", peers, targets)


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


def current_starters(
    bench: Bench, cluster: Cluster, folder: Path, rivals: Rivals, count: int
) -> Iterator[Figure]:
    """Processor time of a starter on a current schema: one alone, and many at once."""
    histories = Histories(folder, rivals)
    histories.add(8)
    failures = 0
    with cluster.database() as database:
        url = cluster.url(database)
        histories.inv.run(url)

        def runner(many: int) -> Callable[[], float]:
            def once() -> float:
                nonlocal failures
                before = _processor_time()
                processes = [histories.inv.start(url) for _ in range(many)]
                failures += sum(_status(process) != 0 for process in processes)
                return (_processor_time() - before) / many

            return once

        alone, crowd = "one starter alone", f"each of {count} at once"
        peers = bench.alternate("current schema", {alone: runner(1), crowd: runner(count)})
    counted = tuple(Peer(it.name, it.costs, failures) for it in peers)
    targets = (Target(crowd, 1.2), Target(crowd, 0, "failures"))
    yield Figure("processor time of a starter, schema current", "s", counted, targets)


def _processor_time() -> float:
    """Return the seconds that this process's finished children have had, in user and system."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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
