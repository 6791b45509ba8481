import re
import signal
from pathlib import Path

import psutil
import pytest

from tests.cluster import Cluster, free_port
from tests.scenarios.process import Finished, project, revisions, run, running_from_scratch
from tests.scenarios.starters import Zygote, starters

pytestmark = pytest.mark.slow


def lines(finished: Finished) -> tuple[int, list[str], list[str]]:
    """Return what may be compared: without the times, whether of day or taken."""

    def timeless(line: str) -> str:
        return re.sub(r"^\d{4}-\S+ \S+|\d+ ms|[\d.]+ s\b", "", line)

    stdout, stderr = ([*map(timeless, stream)] for stream in (finished.stdout, finished.stderr))
    return finished.status, stdout, stderr


@pytest.mark.parametrize(
    "arguments",
    [("migrate",), ("status", "--json"), ("seed",)],
    ids=" ".join,
)
def test_a_starter_does_what_inv_does(
    tmp_path: Path, cluster: Cluster, database: str, zygote: Zygote, arguments: tuple[str, ...]
) -> None:
    """Status and lines are the same as of a process from scratch."""
    folder = project(tmp_path)
    url = cluster.url(database)
    if arguments != ("migrate",):
        run(folder, "migrate", DATABASE_URL=url).assert_ok()
    with cluster.database(template=database) as copy:
        with running_from_scratch(folder, *arguments, DATABASE_URL=url) as process:
            expected = process.finish()
        finished = zygote.spawn(folder, *arguments, DATABASE_URL=cluster.url(copy)).finish()
        assert lines(finished) == lines(
            Finished(
                expected.status,
                tuple(line.replace(database, copy) for line in expected.stdout),
                tuple(line.replace(database, copy) for line in expected.stderr),
            )
        )
        assert revisions(cluster, copy) == revisions(cluster, database)


def test_a_failure_has_its_status(tmp_path: Path, zygote: Zygote) -> None:
    """What ends `inv` with a status and a sentence ends a starter with them."""
    folder = project(tmp_path)
    url = "mysql://a@b/c"
    with running_from_scratch(folder, "status", DATABASE_URL=url) as process:
        expected = process.finish()
    assert expected.status == 2
    assert zygote.spawn(folder, "status", DATABASE_URL=url).finish() == expected


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_is_the_starter_s_own(
    tmp_path: Path, zygote: Zygote, signum: signal.Signals
) -> None:
    """A stop is heard as by any process; one that is killed has the signal for a status."""
    nowhere = f"postgresql://a:b@127.0.0.1:{free_port()}/c"
    starter = zygote.spawn(project(tmp_path), "wait-db", DATABASE_URL=nowhere)
    starter.wait_for("Waiting for PostgreSQL…")
    starter.signal(signum)
    expected = -signum if signum == signal.SIGKILL else 128 + signum
    assert starter.finish().status == expected


def test_starters_are_released_together(
    tmp_path: Path, cluster: Cluster, database_url: str, zygote: Zygote
) -> None:
    """All that wait at the barrier go when it is lifted, and none before."""
    folder = project(tmp_path)
    waiting = [
        zygote.spawn(folder, "wait-db", barrier=True, DATABASE_URL=database_url) for _ in range(8)
    ]
    zygote.spawn(folder, "status", DATABASE_URL=database_url).finish().assert_ok()
    assert not [starter for starter in waiting if zygote.has_ended(starter.number)]
    zygote.release()
    for starter in waiting:
        starter.finish().assert_ok()


def test_the_barrier_does_not_wait_for_the_dead(
    tmp_path: Path, database_url: str, zygote: Zygote
) -> None:
    """A starter that never gets to its task does not hold up the others."""
    folder = project(tmp_path)
    lost, waiting = (
        zygote.spawn(folder, "wait-db", barrier=True, DATABASE_URL=database_url) for _ in range(2)
    )
    lost.signal(signal.SIGKILL)
    zygote.release()
    assert (lost.finish().status, waiting.finish().status) == (-9, 0)


def test_none_outlives_its_zygote(tmp_path: Path) -> None:
    """Starters that are left at the end are killed, even ones that are stopped."""
    with starters() as zygote:
        folder = project(tmp_path)
        left = [zygote.spawn(folder, "wait-db", barrier=True).pid for _ in range(2)]
        children = [psutil.Process(pid) for pid in left]
        children[0].suspend()
    assert not [child for child in children if child.is_running()]
