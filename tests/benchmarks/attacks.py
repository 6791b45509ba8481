"""What other callers wait for while anonymous ones attack, and how much memory that takes."""

import asyncio
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from alembic_boot.serving.open_connections import allow_all_descriptors
from tests.attacks.application import LIMIT, Application, attacked
from tests.attacks.load import Outcomes
from tests.attacks.loads import LOADS, Load
from tests.attacks.probing import LIST, LIVE, READY, Meanwhile, probing
from tests.benchmarks.figures import Figure, Peer
from tests.cluster import Cluster
from tests.scenarios.process import project, run

_QUIET = "nobody attacks"
_QUIET_SECONDS = 3


class Seen(NamedTuple):
    """What one attack came to."""

    waits: Meanwhile
    outcomes: Outcomes
    peak: float
    """Megabytes."""
    was_killed: bool


def attacks(
    say: Callable[[str], None], cluster: Cluster, folder: Path, part: float
) -> Iterator[Figure]:
    """Attack an application of its own by each load; `part` is how much of each, up to 1."""
    allow_all_descriptors()  # a client has as many connections as the application
    folder.mkdir()
    root = project(folder)
    found: dict[str, Seen] = {}
    with cluster.database() as template:
        for task in ("migrate", "seed"):
            run(root, task, DATABASE_URL=cluster.url(template)).assert_ok()
        for does, load in {_QUIET: Load(0, _wait), **LOADS}.items():
            count = math.ceil(load.count * part)
            name = f"{count:,} {does}" if count else does
            with cluster.database(template) as database:
                found[name] = seen = _attack(root, cluster.url(database), load, count)
            said = ", ".join(f"{times} x {it}" for it, times in seen.outcomes.most_common())
            say(f"{name}: {said}")
    for path in (LIVE, READY, LIST):
        waits = {name: seen.waits[path] for name, seen in found.items()}
        peers = (Peer(name, tuple(it.seconds), it.failures) for name, it in waits.items())
        yield Figure(f"what a caller of {path} waits for meanwhile", "s", tuple(peers))
    peaks = (Peer(name, (seen.peak,), int(seen.was_killed)) for name, seen in found.items())
    yield Figure("the most memory", "MB", (Peer("the limit", (float(LIMIT),)), *peaks))


def _attack(root: Path, url: str, load: Load, count: int) -> Seen:
    load.prepare(url)
    with attacked(root, url) as application:
        with probing(application.port, LIVE, READY, LIST) as waits:
            outcomes = asyncio.run(load.run(application, count))
        return Seen(waits, outcomes, application.peak, was_killed=not application.is_alive)


async def _wait(_application: Application, _count: int) -> Outcomes:
    await asyncio.sleep(_QUIET_SECONDS)
    return Outcomes()
