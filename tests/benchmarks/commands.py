"""What it costs to ask."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.figures import Bench, Figure
from tests.cluster import Cluster
from tests.scenarios.process import INV, project, run


def commands(bench: Bench, cluster: Cluster, folder: Path) -> Iterator[Figure]:
    """The list of tasks beside Invoke's own version; our status beside Alembic's."""
    folder.mkdir()
    root = project(folder)
    with cluster.database() as database:
        url = cluster.url(database)
        for _ in range(2):
            run(root, "migrate", DATABASE_URL=url).assert_ok()
        environment = {"PATH": str(INV.parent), "HOME": str(folder), "DATABASE_URL": url}

        def runner(*command: str) -> Callable[[], float]:
            def once() -> float:
                begun = time.perf_counter()
                subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
                return time.perf_counter() - begun

            return once

        inv, alembic = str(INV), str(INV.with_name("alembic"))
        listed = {"inv --version": runner(inv, "--version"), "inv --list": runner(inv, "--list")}
        yield Figure("the list of tasks", "s", bench.alternate("list", listed), "≤ 1.5 x")
        asked = {"alembic current": runner(alembic, "current"), "inv status": runner(inv, "status")}
        yield Figure("the state", "s", bench.alternate("status", asked), "≤ 0.5 x")
