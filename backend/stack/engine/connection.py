"""Reaching the engine, and its refusals as sentences."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import docker
from docker import DockerClient
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from backend.boot.errors import BootError, ConfigurationError, EngineError

_TIMEOUT = 60
"""Seconds until an engine that does not answer a request counts as gone."""


@contextmanager
def engine() -> Iterator[DockerClient]:
    """Give a client of the engine that DOCKER_HOST, or Docker's current context, names.

    Whatever the engine refuses while it is in use becomes an EngineError.
    """
    try:
        client = docker.from_env(timeout=_TIMEOUT)
    except (DockerException, RequestException, ValueError) as error:
        raise _unreachable(error) from error
    try:
        yield client
    except APIError as error:
        raise EngineError(
            f"The container engine refused: {explanation(error)}.",
            "Mend that, and try again.",
        ) from error
    except (DockerException, RequestException) as error:
        raise EngineError(
            f"The container engine stopped answering: {_innermost(error)}.",
            "See whether it still runs, and try again.",
        ) from error
    finally:
        client.close()


@contextmanager
def streaming() -> Iterator[DockerClient]:
    """Give a client that bears silence: for logs, and for what runs inside a container."""
    with engine() as client:
        client.api.timeout = None  # type: ignore[assignment]  # its stub knows no None
        yield client


def explanation(error: APIError) -> str:
    """Return what the engine says, without the full stop that it sometimes has."""
    return str(error.explanation or error).strip().rstrip(".")


def _unreachable(error: Exception) -> EngineError | ConfigurationError:
    host = os.environ.get("DOCKER_HOST", "")
    where = f" at {host}" if host else ""
    cause = _innermost(error)
    number = cause.errno if isinstance(cause, OSError) else None
    if number in (errno.EACCES, errno.EPERM):
        return EngineError(
            f"This user may not talk to the container engine{where}.",
            "Add the user to its group (`sudo usermod -aG docker $USER`, then log in again).",
        )
    if number in (errno.ENOENT, errno.ECONNREFUSED):
        return EngineError(
            f"No container engine answers{where}.",
            "Install Docker and start it, or say in DOCKER_HOST where one is; "
            "`make start` needs none.",
        )
    return EngineError(
        f"The container engine{where} cannot be reached: {cause}.",
        "Start it, or mend DOCKER_HOST.",
    )


def _innermost(error: BaseException) -> BaseException:
    """Return what began it: the libraries between wrap the system's error several times."""
    for inner in (error.__cause__, error.__context__, *error.args):
        # What this run was about to say when the engine failed it did not begin that.
        if isinstance(inner, Exception) and not isinstance(inner, BootError):
            return _innermost(inner)
    return error
