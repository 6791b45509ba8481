"""`down`: stop and remove the containers of a stack, dependents first."""

import logging

from docker import DockerClient

from backend.stack.compose.project import Place
from backend.stack.engine import labels
from backend.stack.engine.containers import find_members, in_start_order, remove, stop

logger = logging.getLogger(__name__)


def down(client: DockerClient, place: Place, *, with_volumes: bool) -> None:
    """Stop and remove the stack's containers and networks, and its volumes on request.

    All of them are found by their labels: the Compose file need not be readable. Raises
    EngineError.
    """
    ours = {"label": f"{labels.PROJECT}={place.name}"}
    members = find_members(client, place, one_off=True)
    for it in reversed(in_start_order(members)):
        stop(it)
        remove(it)
        logger.info("%s removed", it.title)
    networks = client.networks.list(filters=dict(ours))
    for network in networks:
        network.remove()
        logger.info("Network %s removed", network.name)
    volumes = client.volumes.list(filters=dict(ours))
    for volume in volumes if with_volumes else ():
        volume.remove()
        logger.info("Volume %s removed, and the data in it", volume.name)
    if not with_volumes and volumes:
        names = ", ".join(str(it.name) for it in volumes)
        logger.info("Kept for the next `up`: %s (--volumes removes that, too)", names)
    if not members and not networks and not volumes:
        logger.info("The stack %s has no containers, networks or volumes", place.name)
