"""Fixtures: real PostgreSQL servers, one a version, and databases of their own for tests."""

from collections.abc import Callable, Iterator

import pytest

from tests.cluster import Cluster, running_cluster


@pytest.fixture(scope="session")
def cluster_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[int], Cluster]]:
    """Give the server of a version, started when it is first asked for."""
    from contextlib import ExitStack

    servers: dict[int, Cluster] = {}
    with ExitStack() as stack:

        def get(version: int) -> Cluster:
            if version not in servers:
                folder = tmp_path_factory.mktemp(f"pg{version}") / "data"
                servers[version] = stack.enter_context(running_cluster(folder, version))
            return servers[version]

        yield get


@pytest.fixture(scope="session")
def cluster(cluster_of: Callable[[int], Cluster]) -> Cluster:
    """Give the server of the newest version: what most tests run on."""
    return cluster_of(18)


@pytest.fixture(scope="session", params=[16, 18])
def any_cluster(
    request: pytest.FixtureRequest, cluster_of: Callable[[int], Cluster]
) -> Cluster:
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
