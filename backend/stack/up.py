"""`up`: bring the containers to the state of the Compose file, and wait until they are healthy."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack

from docker import DockerClient

from alembic_boot.commands import as_typed
from alembic_boot.errors import ConfigurationError
from backend.stack.compose.model import Condition
from backend.stack.compose.order import start_order
from backend.stack.compose.project import Project
from backend.stack.engine import labels
from backend.stack.engine.configuration import config_hash
from backend.stack.engine.containers import Member, find_members, remove, revive, stop
from backend.stack.engine.images import image_id
from backend.stack.engine.making import (
    Wanted,
    make_container,
    make_networks,
    make_volumes,
    replace_container,
)
from backend.stack.engine.ports import check_ports, check_scale
from backend.stack.engine.watch import ContainerFailedError, Watch

logger = logging.getLogger(__name__)


def up(client: DockerClient, project: Project, scale: Mapping[str, int]) -> list[Member]:
    """Bring the stack up and return its containers.

    Images are built with the cache, or pulled if they are missing. A container that matches the
    file stays; any other is replaced; volumes are never changed. If the run is stopped, or the
    engine refuses, everything that the run made is removed again. But a container that does not
    become healthy stays, for its log. Raises ConfigurationError and EngineError.
    """
    counts = scaled(project, scale)
    check_scale(project, counts)
    present = find_members(client, project.place)
    check_ports(client, project, counts)
    wanted = []
    for name in start_order({name: it.depends_on for name, it in project.services.items()}):
        found = image_id(client, project, name)
        wanted.append(Wanted(name, counts[name], found, config_hash(project, name, found)))
    with ExitStack() as undo:
        make_networks(client, project, undo)
        make_volumes(client, project)
        try:
            members = _converge(client, project, wanted, present, undo)
        except ContainerFailedError:
            undo.pop_all()
            raise
        undo.pop_all()
    return members


def scaled(project: Project, scale: Mapping[str, int]) -> dict[str, int]:
    """Return the number of containers of each service. Raises ConfigurationError."""
    if unknown := sorted(scale.keys() - project.services.keys()):
        known = ", ".join(project.services)
        raise ConfigurationError(
            f"There is no service {unknown[0]} to scale.", f"The services are: {known}."
        )
    return {
        name: scale.get(name, service.deploy.replicas) for name, service in project.services.items()
    }


def parse_scale(texts: list[str]) -> dict[str, int]:
    """Return the numbers in `backend=5` and the like. Raises ConfigurationError."""
    numbers = {}
    for text in texts:
        name, _, count = text.partition("=")
        if not name or not count.isdecimal():
            raise ConfigurationError(
                f"--scale {text} is not a service and a number.",
                "Use --scale backend=5, for example.",
            )
        numbers[name] = int(count)
    return numbers


def _converge(
    client: DockerClient,
    project: Project,
    wanted: list[Wanted],
    present: list[Member],
    undo: ExitStack,
) -> list[Member]:
    """Bring each service to the wanted state, in this order, and wait for all of them."""
    watch = Watch(client, project.name)
    members: dict[str, list[Member]] = {}
    for it in wanted:
        dependencies = project.services[it.service].depends_on
        if it.count:
            conditions = {
                member: dependency.condition
                for name, dependency in dependencies.items()
                for member in members[name]
            }
            watch.wait(conditions)
        own = [member for member in present if member.service == it.service]
        members[it.service] = _converge_service(client, project, it, own, undo)
    everyone = [member for group in members.values() for member in group]
    watch.wait({it: _final(project, it.service) for it in everyone})
    for orphan in (it for it in present if it.service not in project.services):
        down = as_typed("down")
        logger.warning("%s belongs to no service any more; `%s` removes it", orphan.title, down)
    return everyone


def _converge_service(
    client: DockerClient, project: Project, wanted: Wanted, present: list[Member], undo: ExitStack
) -> list[Member]:
    """Keep matching containers, replace others, add missing ones and remove surplus ones."""
    kept: dict[int, Member] = {}
    for it in sorted(present, key=lambda it: not _is_as(wanted, it)):
        # Two have the same number if a run was killed after creating the new one, before removing
        # the old.
        if it.number in kept or it.number > wanted.count:
            stop(it)
            remove(it)
            logger.info("%s removed", it.title)
        else:
            kept[it.number] = it
    members = []
    for number in range(1, wanted.count + 1):
        old = kept.get(number)
        if old is None:
            members.append(make_container(client, project, wanted, number, undo))
        elif _is_as(wanted, old):
            revive(old)
            members.append(old)
        else:
            members.append(replace_container(client, project, wanted, old))
    return members


def _is_as(wanted: Wanted, member: Member) -> bool:
    return member.label(labels.CONFIG_HASH) == wanted.config_hash


def _final(project: Project, service: str) -> Condition:
    """Return the condition of a service in a complete stack."""
    waited_for = {
        it.depends_on[service].condition
        for it in project.services.values()
        if service in it.depends_on
    }
    return Condition.COMPLETED if Condition.COMPLETED in waited_for else Condition.HEALTHY
