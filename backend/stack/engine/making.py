"""Create the parts of a stack: networks, volumes, containers; and undo them after a failure."""

import logging
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.networks import Network

from alembic_boot.signals import STOP_SIGNALS
from backend.stack.compose.project import Project
from backend.stack.engine import labels
from backend.stack.engine.configuration import (
    container_body,
    network_name,
    networks_of,
    volume_name,
)
from backend.stack.engine.connection import explanation
from backend.stack.engine.containers import Member, member, remove, stop

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """The wanted containers of a service."""

    service: str
    count: int
    image_id: str
    config_hash: str


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay stop signals for a moment: a new object must be noted before the process ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def make_networks(client: DockerClient, project: Project, undo: ExitStack) -> None:
    """Create the missing networks; `undo` removes them."""
    used = {name for it in project.services.values() for name in it.networks or ["default"]}
    for name in sorted(used):
        full_name = network_name(project, name)
        if any(it.name == full_name for it in client.networks.list(names=[full_name])):
            continue
        described = project.content.networks.get(name)
        with uninterrupted():
            network = client.networks.create(
                full_name,
                driver=(described and described.driver) or "bridge",
                internal=bool(described and described.internal),
                check_duplicate=True,
                labels={**labels.of_stack(project.place), labels.NETWORK: name},
            )
            undo.callback(_remove_network, network)
        logger.info("Network %s made", full_name)


def make_volumes(client: DockerClient, project: Project) -> None:
    """Create the missing volumes.

    They are never removed after a failure: they may soon hold data.
    """
    for name, described in project.content.volumes.items():
        full_name = volume_name(project, name)
        try:
            client.volumes.get(full_name)
        except NotFound:
            client.volumes.create(
                full_name,
                driver=described.driver or "local",
                labels={**labels.of_stack(project.place), labels.VOLUME: name},
            )
            logger.info("Volume %s made", full_name)


def make_container(
    client: DockerClient, project: Project, wanted: Wanted, number: int, undo: ExitStack
) -> Member:
    """Create a container and start it; `undo` removes it."""
    body = container_body(project, wanted.service)
    ours = labels.of_container(project, wanted.service, number, wanted.config_hash, wanted.image_id)
    body["Labels"] = {**body.get("Labels", {}), **ours}
    name = f"{project.name}-{wanted.service}-{number}"
    with uninterrupted():
        made_id = _create(client, body, name)
        made = member(client.containers.get(made_id))
        undo.callback(remove, made)
    for network, aliases in list(networks_of(project, wanted.service).items())[1:]:
        client.networks.get(network).connect(made.container, aliases=aliases)
    _start(made, project)
    made.container.reload()
    return made


def replace_container(
    client: DockerClient, project: Project, wanted: Wanted, old: Member
) -> Member:
    """Replace an old container by a new one; if that fails, restore the old one.

    Once the new container has started it stays, even if the run fails later.
    """
    name = str(old.container.name)
    with ExitStack() as undo:
        stop(old)
        with uninterrupted():
            old.container.rename(f"{old.container.short_id}_{name}")
            undo.callback(_put_back, old, name)
        new = make_container(client, project, wanted, old.number, undo)
        with uninterrupted():
            remove(old)
            undo.pop_all()
    logger.info("%s replaced, because its configuration changed", new.title)
    return new


def _create(client: DockerClient, body: dict[str, Any], name: str) -> str:
    created = client.api.create_container_from_config(body, name)  # type: ignore[no-untyped-call]
    return str(created["Id"])


def _start(made: Member, project: Project) -> None:
    """Start a container; if a port of a range is taken meanwhile, try the next one."""
    ports = project.services[made.service].ports
    tries = max((len(port.published) for port in ports if port.published), default=1)
    for left in reversed(range(tries)):
        try:
            made.container.start()
        except APIError as error:
            if not left or "address already in use" not in explanation(error):
                raise
        else:
            return


def _put_back(old: Member, name: str) -> None:
    old.container.rename(name)
    old.container.start()


def _remove_network(network: Network) -> None:
    try:
        network.remove()
    except NotFound:
        return
