"""`ps`: list the containers of a stack, with their published addresses."""

from collections.abc import Iterable

from docker import DockerClient

from backend.stack.compose.project import Place, Project
from backend.stack.engine.containers import Member, find_members
from backend.stack.engine.health import read_state

_COLUMNS = ("NAME", "SERVICE", "STATE", "PUBLISHED", "IMAGE")


def listing(client: DockerClient, place: Place) -> str:
    """Return a table of the stack's containers, as text. Raises EngineError."""
    members = find_members(client, place)
    if not members:
        return f"There is no container of the stack {place.name}: `make up` makes them."
    rows = [_COLUMNS, *(_row(it) for it in members)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ("   ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def addresses(project: Project, members: Iterable[Member]) -> list[str]:
    """Return each container's published address; a URL for built images, which serve HTTP."""
    lines = []
    for it in members:
        scheme = "http://" if project.services[it.service].build else ""
        lines += [f"{it.title} is at {scheme}{address}" for address in published(it)]
    return lines


def _row(member: Member) -> tuple[str, ...]:
    state = read_state(member.container.attrs)
    return (
        str(member.container.name),
        member.service,
        str(state),
        ", ".join(published(member)) or "-",
        str(member.container.attrs["Config"]["Image"]),
    )


def published(member: Member) -> list[str]:
    """Return the published addresses of a container's ports: `127.0.0.1:8000`."""
    ports: dict[str, list[dict[str, str]] | None] = member.container.attrs["NetworkSettings"][
        "Ports"
    ]
    found = {
        f"{_reachable(it['HostIp'])}:{it['HostPort']}"
        for bound in ports.values()
        for it in bound or []
    }
    return sorted(found)


def _reachable(address: str) -> str:
    """Return an address to connect to: a port on every address is reachable on this host, too."""
    if address in ("", "0.0.0.0", "::"):  # noqa: S104 (told, not bound)
        return "127.0.0.1"
    return f"[{address}]" if ":" in address else address
