"""`restart`: stop and start the existing containers in order, without replacing any."""

import logging
from itertools import groupby

from docker import DockerClient

from backend.stack.compose.model import Condition
from backend.stack.compose.project import Place
from backend.stack.engine.containers import Member, chosen_members, in_start_order, stop
from backend.stack.engine.watch import Watch

logger = logging.getLogger(__name__)


def restart(client: DockerClient, place: Place, service: str | None = None) -> list[Member]:
    """Restart the containers of the stack or of one service; return them when they are healthy.

    Raises EngineError.
    """
    chosen = in_start_order(chosen_members(client, place, service))
    for it in reversed(chosen):
        stop(it)
    watch = Watch(client, place.name)
    for _, group in groupby(chosen, key=lambda it: it.service):
        members = list(group)
        for it in members:
            it.container.start()
            it.container.reload()
        watch.wait(dict.fromkeys(members, Condition.HEALTHY))
    return chosen
