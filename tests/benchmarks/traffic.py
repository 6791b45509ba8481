"""How long those who use a table stand still while a migration waits to alter it.

Run it as `python -m tests.benchmarks.traffic`: for plain Alembic and for `inv migrate`, behind one
transaction of ten seconds, and behind three that follow each other.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster import Cluster, running_cluster
from tests.scenarios.live_traffic import blocking, traffic
from tests.scenarios.process import INV, ForeignProject, project

ALTER = 'op.execute("ALTER TABLE pace ADD COLUMN more int")'

IN_THE_WAY = {
    "one of 10 s": ((0.0, 10.0),),
    "three of 4 s in turn": ((0.0, 4.0), (3.3, 7.3), (6.6, 10.6)),
}
"""When each transaction begins and ends, in seconds from the first."""

WARM_UP = 0.5
"""Seconds of traffic before the migration starts."""


@dataclass(frozen=True)
class Figures:
    """What one run came to, in seconds."""

    read: float
    wrote: float
    statements: int
    done_after: float
    """From the end of the last transaction that was in the way to the new version."""


def measure(
    cluster: Cluster, folder: Path, tool: str, spans: Iterable[tuple[float, float]]
) -> Figures:
    """Migrate a table in use with one of the tools, behind transactions of these spans."""
    with cluster.database() as database:
        url = cluster.url(database)
        foreign = ForeignProject(folder / "foreign")
        foreign.revision("a1", None, 'op.execute("CREATE TABLE pace AS SELECT 1 AS seconds")')
        ini = f"[alembic]\nscript_location = %(here)s/scripts\nsqlalchemy.url = {url}\n"
        foreign.config.write_text(ini, encoding="utf-8")
        root = project(folder)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "ALEMBIC_CONFIG": str(foreign.config),
            "DATABASE_URL": url,
        }
        commands = {
            "alembic upgrade head": [
                *(str(INV.with_name("alembic")), "-c", str(foreign.config), "upgrade", "head")
            ],
            "inv migrate": [str(INV), "migrate"],
        }
        subprocess.run(commands[tool], cwd=root, env=environment, check=True, capture_output=True)
        foreign.revision("b2", "a1", ALTER)
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
            threading.Event().wait(WARM_UP)
            with subprocess.Popen(
                commands[tool],
                cwd=root,
                env=environment,
                stdout=subprocess.DEVNULL,
            ) as process:
                done_at = _await_version(cluster, database)
            assert process.returncode == 0
            for thread in threads:
                thread.join()
        assert not found.failures, found.failures
        return Figures(
            max(found.reads),
            max(found.writes),
            len(found.reads) + len(found.writes),
            done_at - max(end for end in ends if end < done_at),
        )


def _await_version(cluster: Cluster, database: str) -> float:
    with closing(cluster.connect(database)) as connection:
        cursor = connection.cursor()
        while True:
            cursor.execute("SELECT version_num FROM alembic_version")
            if cursor.fetchone() == ("b2",):
                return time.monotonic()
            threading.Event().wait(0.01)


def main() -> None:
    """Print a line for each tool and each way to be in the way."""
    print(f"{'':32}{'reader':>9}{'writer':>9}{'statements':>12}{'done after':>12}")
    memory = Path("/dev/shm")
    folder = str(memory) if memory.is_dir() else None
    with (
        TemporaryDirectory(prefix="benchmark-", dir=folder) as name,
        running_cluster(Path(name) / "data", 18) as cluster,
    ):
        for title, spans in IN_THE_WAY.items():
            print(f"Behind {title}")
            for tool in ("alembic upgrade head", "inv migrate"):
                run = Path(name) / f"{title} {tool}"
                run.mkdir()
                figures = measure(cluster, run, tool, spans)
                print(
                    f"  {tool:30}{figures.read:7.2f} s{figures.wrote:7.2f} s"
                    f"{figures.statements:12}{figures.done_after:10.2f} s"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
