"""Fixtures: real PostgreSQL servers, one a version, and databases of their own for tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory

import pytest

from tests.cluster import Cluster, running_cluster


def _roomy_folder() -> str | None:
    """Return a folder in memory, where a database is made in a tenth of the time, if there is one.

    A container's own is often too small.
    """
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and disk_usage(memory).free > 4 << 30 else None


@pytest.fixture(scope="session")
def cluster_of() -> Iterator[Callable[[int], Cluster]]:
    """Give the server of a version, started when it is first asked for."""
    servers: dict[int, Cluster] = {}
    with (
        TemporaryDirectory(prefix="postgres-of-tests-", dir=_roomy_folder()) as folder,
        ExitStack() as stack,
    ):

        def get(version: int) -> Cluster:
            if version not in servers:
                data = Path(folder) / str(version)
                servers[version] = stack.enter_context(running_cluster(data, version))
            return servers[version]

        yield get


@pytest.fixture(scope="session")
def cluster(cluster_of: Callable[[int], Cluster]) -> Cluster:
    """Give the server of the newest version: what most tests run on."""
    return cluster_of(18)


@pytest.fixture(scope="session", params=[16, 18])
def any_cluster(request: pytest.FixtureRequest, cluster_of: Callable[[int], Cluster]) -> Cluster:
    """Give each supported server in turn."""
    version: int = request.param
    return cluster_of(version)


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """Give the name of an empty database."""
    with cluster.database() as name:
        yield name


@pytest.fixture
def database_url(cluster: Cluster, database: str) -> str:
    """Give the owner's URL of an empty database."""
    return cluster.url(database)
