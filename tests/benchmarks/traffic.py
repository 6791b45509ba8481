"""How long those who use a table stand still while a migration waits to alter it."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.figures import Bench, Figure, Peer, Target
from tests.benchmarks.histories import Histories, Tool
from tests.benchmarks.rivals import Rivals
from tests.cluster import Cluster
from tests.scenarios.live_traffic import blocking, traffic

_MADE = "CREATE TABLE pace AS SELECT 1 AS seconds"
_ALTERED = "ALTER TABLE pace ADD COLUMN more int"

ONE = ((0.0, 10.0),)
THREE = ((0.0, 4.0), (3.3, 7.3), (6.6, 10.6))
"""When each transaction that is in the way begins and ends, in seconds from the first."""

_WARM_UP = 0.5
"""Seconds of traffic before the migration starts."""


class Seen(NamedTuple):
    """What one run came to, in seconds."""

    longest: float
    """That a statement of the traffic took."""
    done_after: float
    """From the end of the last transaction in the way to the altered table."""


def stalls(
    bench: Bench, cluster: Cluster, folder: Path, rivals: Rivals, scale: float
) -> Iterator[Figure]:
    """Behind one transaction, and behind three that follow each other; `scale` shortens them."""
    folder.mkdir()
    for number, spans in (("one", ONE), ("three", THREE)):
        scaled = [(begin * scale, end * scale) for begin, end in spans]
        title = f"{number} of {scaled[0][1]:g} s" + (" in turn" if len(spans) > 1 else "")
        found: dict[str, Seen] = {}
        for name in ("alembic upgrade head", "inv migrate", "dbmate up", "django migrate"):
            bench.say(f"traffic behind {title}: {name}")
            histories = Histories(folder / f"{title} {name}", rivals)
            histories.add(1, lambda _number: _MADE)
            tools = {
                "alembic upgrade head": histories.alembic,
                "inv migrate": histories.inv,
                "dbmate up": histories.dbmate,
                "django migrate": histories.django,
            }
            found[name] = _measure(cluster, histories, tools[name], scaled)
        longest = tuple(Peer(name, (seen.longest,)) for name, seen in found.items())
        yield Figure(
            f"longest stall of traffic behind {title}",
            "s",
            longest,
            (Target("inv migrate", 0.3, "median"),),
        )
        done = tuple(Peer(name, (max(seen.done_after, 0.0),)) for name, seen in found.items())
        yield Figure(
            f"altered after the last of {title}", "s", done, (Target("inv migrate", 1, "median"),)
        )


def _measure(
    cluster: Cluster, histories: Histories, tool: Tool, spans: Iterable[tuple[float, float]]
) -> Seen:
    with cluster.database() as database:
        url = cluster.url(database)
        tool.run(url)
        histories.add(2, lambda _number: _ALTERED)
        ends: list[float] = []

        def stand(begin: float, end: float) -> None:
            threading.Event().wait(begin)
            with blocking(cluster, database):
                threading.Event().wait(end - begin)
            ends.append(time.monotonic())

        with traffic(cluster, database, sessions=8) as found:
            threads = [threading.Thread(target=stand, args=span) for span in spans]
            for thread in threads:
                thread.start()
            threading.Event().wait(_WARM_UP)
            with tool.start(url) as process:
                done_at = _await_column(cluster, database)
            assert process.returncode == 0
            for thread in threads:
                thread.join()
        assert not found.failures, found.failures
        before = [end for end in ends if end < done_at]
        return Seen(found.longest, done_at - max(before) if before else 0.0)


def _await_column(cluster: Cluster, database: str) -> float:
    query = "SELECT FROM pg_attribute WHERE attrelid = 'pace'::regclass AND attname = 'more'"
    with closing(cluster.connect(database)) as connection:
        cursor = connection.cursor()
        while True:
            cursor.execute(query)
            if cursor.fetchone() is not None:
                return time.monotonic()
            threading.Event().wait(0.01)
