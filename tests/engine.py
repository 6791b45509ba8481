"""The container engine that tests meet: a real one, or none of these tests."""

import gc
import os
import warnings
from collections.abc import Iterator

import docker
import pytest
from docker import DockerClient
from docker.errors import DockerException
from requests.exceptions import RequestException


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    """Give a client of the engine; without one the test is skipped, and in CI it fails."""
    try:
        client = docker.from_env()
    except (DockerException, RequestException) as error:
        reason = str(error)
    else:
        yield client
        client.close()
        return
    collect_sockets()
    end = pytest.fail if os.environ.get("CI") else pytest.skip
    end(f"no container engine answers ({reason}): install Docker and start it")


def collect_sockets() -> None:
    """Close what the SDK leaves open: a client that could not be made, a log that was followed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
