"""Check that the ports of a stack are free, before anything is created."""

import errno
import socket
from collections.abc import Mapping

from docker import DockerClient

from alembic_boot.errors import ConfigurationError, EngineError
from backend.stack.compose.model import Port, Service
from backend.stack.compose.ports import PortRange
from backend.stack.compose.project import Project
from backend.stack.engine import labels


def check_scale(project: Project, scale: Mapping[str, int]) -> None:
    """Raise ConfigurationError if a service has fewer ports to publish than containers."""
    for name, count in scale.items():
        for port in project.services[name].ports:
            if port.published is None or len(port.published) >= count:
                continue
            first = port.published.first
            wider = f"{first}-{first + count - 1}"
            raise ConfigurationError(
                f"{count} containers of {name} cannot all be published on {port.published}: "
                "a port belongs to one container.",
                f"Publish a range: {name.upper()}_PORT={wider} inv up --scale {name}={count}.",
            )


def check_ports(client: DockerClient, project: Project, needed: Mapping[str, int]) -> None:
    """Raise EngineError if too few ports are free for a service's new containers.

    `needed` is the number of containers to publish for each service. Ports of the project's own
    containers count as free: they are kept, or become free.
    """
    for name, count in needed.items():
        service: Service = project.services[name]
        for port in service.ports:
            if port.published is None:
                continue
            holders = {
                number: holder
                for number in port.published.numbers()
                if (holder := _holder(client, project, port, number))
            }
            if len(port.published) - len(holders) < count:
                raise _refusal(name, port.published, count, holders)


def _refusal(service: str, ports: PortRange, count: int, holders: Mapping[int, str]) -> EngineError:
    taken = ", ".join(f"{number} by {it}" for number, it in sorted(holders.items()))
    variable = f"{service.upper()}_PORT"
    if len(ports) == 1:
        other = ports.last + 1 if ports.last < 65535 else ports.first - 1
        return EngineError(
            f"Port {ports}, for {service}, is taken by {holders[ports.first]}.",
            f"Stop that, or choose another port: {variable}={other} make up.",
        )
    return EngineError(
        f"Too few of the ports {ports} are free for {count} of {service}: taken are {taken}.",
        f"Stop those, or choose another range with {variable}.",
    )


def _holder(client: DockerClient, project: Project, port: Port, number: int) -> str | None:
    """Return the holder of a port, or None if the port is free or the project's own."""
    for container in client.containers.list(filters={"publish": f"{number}/{port.protocol}"}):
        if number in _published(container.attrs):
            own = container.labels.get(labels.PROJECT) == project.name
            return None if own else f"the container {container.name}"
    return _process(number) if _is_taken(port, number) else None


def _published(
    attributes: Mapping[str, dict[str, dict[str, list[dict[str, str]] | None]]],
) -> set[int]:
    bindings = attributes["NetworkSettings"]["Ports"].values()
    return {int(it["HostPort"]) for bound in bindings for it in bound or []}


def _is_taken(port: Port, number: int) -> bool:
    """Return whether a process on this machine has the port.

    If the engine runs on another machine, this check says nothing about that machine; the engine
    then refuses itself.
    """
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in port.host_ip else socket.AF_INET
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host_ip, number))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _process(number: int) -> str:
    import psutil

    try:
        connections = psutil.net_connections("inet")
    except psutil.AccessDenied:
        connections = []  # macOS tells only root
    holding = [it for it in connections if it.pid and it.laddr and it.laddr.port == number]
    # The listening process: a connection that it accepted uses the same port, perhaps in another
    # process.
    holding.sort(key=lambda it: it.status not in (psutil.CONN_LISTEN, psutil.CONN_NONE))
    for connection in holding:
        try:
            name = psutil.Process(connection.pid).name()
        except psutil.NoSuchProcess:
            continue  # it has just ended
        return f"the process {connection.pid} ({name})"
    return "another process"
