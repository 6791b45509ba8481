"""The containers of a stack, found by Compose's labels, created by any tool."""

from dataclasses import dataclass
from pathlib import Path

from docker import DockerClient
from docker.errors import NotFound
from docker.models.containers import Container

from alembic_boot.errors import EngineError
from backend.stack.compose.order import start_order
from backend.stack.compose.project import Place
from backend.stack.engine import labels
from backend.stack.engine.health import read_state


@dataclass(frozen=True)
class Member:
    """One container of a stack."""

    container: Container
    service: str
    number: int

    @property
    def title(self) -> str:
        """Return the beginning of log lines about the container: `backend-1`."""
        return f"{self.service}-{self.number}"

    @property
    def is_running(self) -> bool:
        """Return whether it was running at the last inspection."""
        return bool(self.container.attrs["State"]["Running"])

    def label(self, name: str) -> str:
        """Return a label's value, or an empty text."""
        return str(self.container.labels.get(name, ""))


def find_members(client: DockerClient, place: Place, *, one_off: bool = False) -> list[Member]:
    """Return the stack's containers, stopped ones too, each service's by number.

    `one_off` includes containers of `docker compose run`.

    Raises EngineError if a stack of the same name belongs to another folder: containers of other
    stacks must not be used.
    """
    wanted = [f"{labels.PROJECT}={place.name}", f"{labels.ONE_OFF}=False"][: 1 if one_off else 2]
    found = client.containers.list(
        all=True,
        filters={"label": wanted},
        ignore_removed=True,
    )
    for container in found:
        home = container.labels.get(labels.WORKING_DIR)
        if home and Path(home).resolve() != place.folder.resolve():
            raise EngineError(
                f"There is a stack {place.name} already, and it belongs to {home}.",
                f"Take it down there, or choose another name: COMPOSE_PROJECT_NAME={place.name}2.",
            )
    members = [member(container) for container in found]
    return sorted(members, key=lambda it: (it.service, it.number))


def member(container: Container) -> Member:
    """Return a container as a member of its stack."""
    number = container.labels.get(labels.NUMBER, "1")
    return Member(
        container,
        container.labels.get(labels.SERVICE, str(container.name)),
        int(number) if number.isdecimal() else 1,
    )


def in_start_order(members: list[Member]) -> list[Member]:
    """Return the containers by their labels, dependencies first."""
    dependencies: dict[str, set[str]] = {it.service: set() for it in members}
    for it in members:
        named = labels.read_depends_on(it.label(labels.DEPENDS_ON))
        dependencies[it.service] |= dependencies.keys() & named
    ranks = {name: rank for rank, name in enumerate(start_order(dependencies))}
    return sorted(members, key=lambda it: (ranks[it.service], it.number))


def chosen_members(client: DockerClient, place: Place, service: str | None) -> list[Member]:
    """Return the containers of one service, or all. Raises EngineError if there are none."""
    found = find_members(client, place)
    chosen = [it for it in found if service in (None, it.service)]
    if chosen:
        return chosen
    if not found:
        raise EngineError(
            f"There is no container of the stack {place.name}.", "Make it: `make up`."
        )
    services = ", ".join(dict.fromkeys(it.service for it in found))
    raise EngineError(
        f"There is no container of {service}.", f"The existing containers are those of {services}."
    )


def running_member(client: DockerClient, place: Place, service: str) -> Member:
    """Return the first running container of a service. Raises EngineError if there is none."""
    for it in find_members(client, place):
        if it.service == service and it.is_running:
            return it
    raise EngineError(f"No container of {service} runs.", "Start the stack first: `make up`.")


def grace(member: Member) -> int:
    """Return the seconds that a container has for stopping."""
    return int(member.container.attrs["Config"].get("StopTimeout") or 10)


def stop(member: Member) -> None:
    """Stop a container, with its own grace period."""
    try:
        member.container.stop(timeout=grace(member))
    except NotFound:
        return  # another process was faster


def revive(member: Member) -> None:
    """Start a container that is not running or not healthy; leave other containers alone."""
    state = read_state(member.container.attrs)
    if state.status == "paused":
        member.container.unpause()
    if state.status not in ("running", "paused") or state.health == "unhealthy":
        member.container.restart(timeout=grace(member))
    member.container.reload()


def remove(member: Member) -> None:
    """Remove a container, running or not. Its named volumes stay; anonymous ones are removed."""
    try:
        member.container.remove(v=True, force=True)
    except NotFound:
        return
