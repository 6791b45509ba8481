"""Connect to the engine, and report its refusals as sentences."""

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from alembic_boot.errors import BootError, EngineError
from backend.stack.engine.credentials import read_credentials
from backend.stack.engine.endpoint import (
    Endpoint,
    config_folder,
    find_endpoint,
    read_config,
)

_TIMEOUT = 60
"""Seconds after which an engine without an answer counts as lost."""


@contextmanager
def engine() -> Iterator[DockerClient]:
    """Yield a client of the engine that docker's own command line would use.

    Every refusal of the engine within the block becomes an EngineError. Raises ConfigurationError
    if the settings name an engine that does not exist.
    """
    client = _connect()
    try:
        yield client
    except APIError as error:
        raise EngineError(
            f"The container engine refused: {explanation(error)}.",
            "Fix that, and try again.",
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
    """Yield a client without a read timeout: for logs, and for commands inside a container."""
    with engine() as client:
        client.api.timeout = None  # type: ignore[assignment]  # its stub knows no None
        yield client


def explanation(error: APIError) -> str:
    """Return the engine's message, without the full stop that it sometimes has."""
    return str(error.explanation or error).strip().rstrip(".")


def _connect() -> DockerClient:
    # Not `Path.home`, which fails for a user without a home.
    folder = config_folder(os.environ, Path(os.path.expanduser("~")))  # noqa: PTH111
    config = read_config(folder)
    endpoint = find_endpoint(os.environ, folder, config)
    credentials = read_credentials(config, str(folder / "config.json"))
    if endpoint.url.startswith("ssh://"):
        _check_ssh(endpoint)
    try:
        client = DockerClient(
            base_url=endpoint.url,
            tls=endpoint.tls or False,
            timeout=_TIMEOUT,
            # Docker itself runs `ssh`, with everything in ~/.ssh/config.
            use_ssh_client=True,
        )
    except (DockerException, RequestException, ValueError) as error:
        raise _unreachable(endpoint, error) from error
    # Private, and the only way to make builds and pulls use other credentials than the SDK's own
    # (docker 7.2).
    client.api._auth_configs = credentials  # type: ignore[attr-defined]
    return client


def _check_ssh(endpoint: Endpoint) -> None:
    missing = (
        ("the Python package paramiko", f"{sys.executable} -m pip install paramiko"),
        ("the program ssh", "apt-get install openssh-client"),
    )
    there = (find_spec("paramiko"), shutil.which("ssh"))
    for (what, command), found in zip(missing, there, strict=True):
        if not found:
            raise EngineError(
                f"The container engine{endpoint} is reached through SSH, which needs {what}.",
                f"Install it: {command}.",
            )


def _unreachable(endpoint: Endpoint, error: Exception) -> EngineError:
    cause = _innermost(error)
    number = cause.errno if isinstance(cause, OSError) else None
    if number in (errno.EACCES, errno.EPERM):
        return EngineError(
            f"This user may not talk to the container engine{str(endpoint).rstrip(',')}.",
            "Add the user to its group (`sudo usermod -aG docker $USER`, then log in again).",
        )
    if number in (errno.ENOENT, errno.ECONNREFUSED):
        return EngineError(
            f"No container engine answers{str(endpoint).rstrip(',')}.",
            "Install Docker and start it, or set DOCKER_HOST to its address; "
            "`make start` needs none.",
        )
    named = f"the context {endpoint.context}" if endpoint.context else "DOCKER_HOST"
    return EngineError(
        f"The container engine{endpoint} cannot be reached: {cause}.",
        f"Start it, or fix {named}.",
    )


def _innermost(error: BaseException) -> BaseException:
    """Return the original cause: the libraries wrap the system's error several times."""
    for inner in (error.__cause__, error.__context__, *error.args):
        # An exception that this run was handling when the engine failed is not the cause.
        if isinstance(inner, Exception) and not isinstance(inner, BootError):
            return _innermost(inner)
    return error
