"""The objects that a run made in the engine: found by their label, and removed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound

from alembic_boot.errors import EngineError
from backend.ci.run import Run
from backend.stack.engine.connection import explanation
from backend.stack.engine.labels import RUN

_BUSY = (HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT)
"""The engine's answers for objects in use, or half removed."""
_PATIENCE = 60
"""Seconds to wait for an object in use."""
_INTERVAL = 0.2
"""Seconds between two attempts."""


@dataclass(frozen=True)
class Belonging:
    """An object in the engine that belongs to a run."""

    title: str
    run: Run
    remove: Callable[[], None] = field(repr=False)


def remove_belongings(client: DockerClient, run: Run) -> int:
    """Remove all objects that a run made in the engine, and return their number.

    Raises EngineError if an object is still in use.
    """
    deadline = time.monotonic() + _PATIENCE
    removed: set[str] = set()
    while found := find_belongings(client, run):
        kept = [(it, reason) for it in found if (reason := _remove(it))]
        removed.update(it.title for it in found)
        if kept and time.monotonic() > deadline:
            it, reason = kept[0]
            raise EngineError(
                f"The {it.title} of the run {run} cannot be removed: {reason}.",
                "Remove what uses it; the next run will try again.",
            )
        if kept:
            time.sleep(_INTERVAL)
    return len(removed)


def find_belongings(client: DockerClient, run: Run | None = None) -> list[Belonging]:
    """Return the objects of one run, or of all runs, in the order of removal."""
    api = client.api
    wanted = {"label": RUN if run is None else f"{RUN}={run}"}
    containers = api.containers(all=True, filters=wanted)
    networks = api.networks(filters=wanted)
    volumes = api.volumes(filters=wanted)["Volumes"] or []
    # Newest first: a child must go before its parent.
    images = sorted(
        api.images(all=True, filters=wanted), key=lambda it: int(it["Created"]), reverse=True
    )
    kinds: tuple[tuple[str, str, list[Any], Callable[[str], None]], ...] = (
        ("container", "Id", containers, partial(api.remove_container, v=True, force=True)),
        ("network", "Id", networks, api.remove_network),
        ("volume", "Name", volumes, partial(api.remove_volume, force=True)),
        ("image", "Id", images, partial(api.remove_image, force=True)),
    )
    return [
        Belonging(f"{kind} {it[key]}", owner, partial(remove, it[key]))
        for kind, key, listed, remove in kinds
        for it in listed
        if (owner := Run.parse(it["Labels"][RUN]))
    ]


def _remove(belonging: Belonging) -> str:
    """Remove the object; return the reason if that is not possible yet."""
    try:
        belonging.remove()
    except NotFound:
        return ""  # it was removed with another one
    except APIError as error:
        if error.status_code not in _BUSY:
            raise
        return explanation(error)
    return ""
