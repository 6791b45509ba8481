"""What it costs to ask."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.figures import Bench, Figure, Target
from tests.cluster import Cluster
from tests.scenarios.process import INV, project


def commands(bench: Bench, cluster: Cluster, folder: Path) -> Iterator[Figure]:
    """The list of tasks beside Invoke's own version; our status beside Alembic's."""
    folder.mkdir()
    root = project(folder)
    with cluster.database() as database:
        url = cluster.url(database)
        environment = {"PATH": str(INV.parent), "HOME": str(folder), "DATABASE_URL": url}

        def runner(*command: str) -> Callable[[], float]:
            def once() -> float:
                begun = time.perf_counter()
                subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
                return time.perf_counter() - begun

            return once

        inv, alembic = str(INV), str(INV.with_name("alembic"))
        runner(inv, "migrate")()
        listed = {"inv --version": runner(inv, "--version"), "inv --list": runner(inv, "--list")}
        peers = bench.alternate("list", listed)
        yield Figure("the list of tasks", "s", peers, (Target("inv --list", 1.5),))
        asked = {"alembic current": runner(alembic, "current"), "inv status": runner(inv, "status")}
        peers = bench.alternate("status", asked)
        yield Figure("the state", "s", peers, (Target("inv status", 1.0),))
