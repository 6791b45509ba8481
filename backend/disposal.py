"""The commands that remove a development database, for each kind of database."""

import os
import shlex
from pathlib import Path

from alembic_boot.commands import as_typed
from alembic_boot.postgres.urls import DatabaseUrl

_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Docker and Podman create one of these files in each container."""

_COMPOSE_FILE = Path("docker-compose.yml")

_DROPDB_FLAGS = {"host": "--host", "port": "--port", "user": "--username"}


def disposal(url: DatabaseUrl, data_folder: Path, *, is_in_stack: bool) -> str:
    """Return how to remove a database, as a clause of a sentence.

    `data_folder` is the folder of an embedded server; `is_in_stack` says that the database is that
    of docker-compose.yml.
    """
    folder = Path(os.path.realpath(data_folder)) / "postgres"
    if _serves(folder, url):
        return f"stop what uses it, and run `rm -r {shlex.quote(str(folder))}`"
    if is_in_stack:
        return "run `.venv/bin/inv down --volumes` and `make up` outside of the container"
    flags = [
        f"{flag}={shlex.quote(text)}"
        for name, flag in _DROPDB_FLAGS.items()
        if (text := url.parameters.get(name))
    ]
    command = " ".join(["dropdb --force", *flags, shlex.quote(url.database)])
    return f"run `{command}`, and `{as_typed('migrate')}` creates it again"


def is_in_image() -> bool:
    """Return whether this process runs in a container of our image.

    A container may also contain a developer's clone, which has the Compose file.
    """
    return any(mark.exists() for mark in _CONTAINER_MARKS) and not _COMPOSE_FILE.exists()


def _serves(folder: Path, url: DatabaseUrl) -> bool:
    """Return whether the URL leads to the server whose data is in this folder."""
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
    except OSError:  # the server is not running, or was never here
        return False
    # The file's fifth line is the folder of the socket.
    return lines[4:5] == [url.parameters.get("host")]
