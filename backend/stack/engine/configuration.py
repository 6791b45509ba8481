"""The engine's description of a service's container, and a hash that detects changes."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from alembic_boot.errors import ConfigurationError
from backend.stack.compose.model import Healthcheck, Mount, Port, Service
from backend.stack.compose.project import Project, read_env_file

_SECRETS = "/run/secrets"


def network_name(project: Project, network: str) -> str:
    """Return the engine's name of a network, as Compose has it."""
    return f"{project.name}_{network}"


def volume_name(project: Project, volume: str) -> str:
    """Return the engine's name of a volume, as Compose has it."""
    return f"{project.name}_{volume}"


def networks_of(project: Project, service: str) -> dict[str, list[str]]:
    """Return the engine's names of a service's networks, with the service's names in each."""
    uses = project.services[service].networks
    if not uses:
        return {network_name(project, "default"): [service]}
    return {network_name(project, name): [service, *uses[name].aliases] for name in sorted(uses)}


def container_body(project: Project, name: str) -> dict[str, Any]:
    """Return the engine's description of a service's container, in the form of its API.

    It names only the first network: engines before 25 accept no more at creation. Raises
    ConfigurationError.
    """
    service = project.services[name]
    first, aliases = next(iter(networks_of(project, name).items()))
    body: dict[str, Any] = {
        "Image": project.image_of(name),
        "Cmd": _listed(service.command),
        "Entrypoint": _listed(service.entrypoint),
        "Env": [f"{key}={value}" for key, value in sorted(_environment(project, service).items())],
        "User": service.user,
        "WorkingDir": service.working_dir,
        "Hostname": service.hostname,
        "StopSignal": service.stop_signal,
        "StopTimeout": _whole_seconds(service.stop_grace_period),
        "Healthcheck": _healthcheck(service.healthcheck),
        "ExposedPorts": {
            key: {} for key in [*map(_port_key, service.ports), *map(_exposed_key, service.expose)]
        },
        "Labels": service.labels,
        "HostConfig": {**_host_config(project, service), "NetworkMode": first},
        "NetworkingConfig": {"EndpointsConfig": {first: {"Aliases": aliases}}},
    }
    return _without_nothing(body)


def config_hash(project: Project, name: str, image_id: str) -> str:
    """Return a hash that changes exactly when a service's containers must be replaced."""
    parts = [container_body(project, name), networks_of(project, name), image_id]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _host_config(project: Project, service: Service) -> dict[str, Any]:
    limits = service.deploy.resources.limits
    cpus = service.cpus or limits.cpus
    name, _, count = service.restart.partition(":")
    return _without_nothing(
        {
            "PortBindings": _port_bindings(service.ports),
            # Unlike for a mount, the engine creates a missing folder for a bind.
            "Binds": [_bind(project, it) for it in service.volumes if _is_made(it)],
            "Mounts": [
                *(_mount(project, it) for it in service.volumes if not _is_made(it)),
                *_secret_mounts(project, service),
            ],
            "Tmpfs": dict(_tmpfs(entry) for entry in service.tmpfs),
            "ReadonlyRootfs": service.read_only,
            "RestartPolicy": {"Name": name, "MaximumRetryCount": int(count or 0)},
            "Init": service.init,
            "CapAdd": _listed(service.cap_add),
            "CapDrop": _listed(service.cap_drop),
            "SecurityOpt": _listed(service.security_opt),
            "ShmSize": service.shm_size,
            "Memory": service.mem_limit or limits.memory,
            "NanoCpus": round(cpus * 1e9) if cpus else None,
            "PidsLimit": service.pids_limit or limits.pids,
            "LogConfig": _without_nothing(
                {"Type": service.logging.driver, "Config": service.logging.options}
            ),
        }
    )


def _environment(project: Project, service: Service) -> dict[str, str]:
    """Return a container's variables: those of its files, and with priority its own."""
    found: dict[str, str] = {}
    for file in service.env_file:
        path = _host_path(project, file.path)
        known = {**service.environment, **project.variables}
        found |= read_env_file(path, known, is_required=file.required)
    return {**found, **service.environment}


def _healthcheck(check: Healthcheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    if check.disable:
        return {"Test": ["NONE"]}
    return _without_nothing(
        {
            "Test": list(check.test),
            "Interval": check.interval,
            "Timeout": check.timeout,
            "StartPeriod": check.start_period,
            "Retries": check.retries,
        }
    )


def _port_key(port: Port) -> str:
    return f"{port.target}/{port.protocol}"


def _exposed_key(text: str) -> str:
    return text if "/" in text else f"{text}/tcp"


def _port_bindings(ports: tuple[Port, ...]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        # The engine itself takes the first free port of a range.
        published = "" if port.published is None else str(port.published)
        binding = {"HostIp": port.host_ip, "HostPort": published}
        bindings.setdefault(_port_key(port), []).append(binding)
    return bindings


def _is_made(mount: Mount) -> bool:
    # A colon cannot be written in a bind.
    return mount.bind is not None and mount.bind.create_host_path and ":" not in mount.source


def _bind(project: Project, mount: Mount) -> str:
    source = _host_path(project, mount.source)
    return f"{source}:{mount.target}:{'ro' if mount.read_only else 'rw'}"


def _mount(project: Project, mount: Mount) -> dict[str, Any]:
    if mount.type == "volume":
        source = volume_name(project, mount.source)
    else:
        source = str(_host_path(project, mount.source))
    return {
        "Type": mount.type,
        "Source": source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }


def _secret_mounts(project: Project, service: Service) -> list[dict[str, Any]]:
    mounts = []
    for use in service.secrets:
        path = _host_path(project, project.content.secrets[use.source].file)
        if not os.path.isfile(path):  # noqa: PTH113 (Path's raises below a folder that is closed)
            raise ConfigurationError(
                f"The secret {use.source} must be in {path}, which is not a file.",
                "Write it there.",
            )
        target = use.target or use.source
        mounts.append(
            {
                "Type": "bind",
                "Source": str(path),
                "Target": target if target.startswith("/") else f"{_SECRETS}/{target}",
                "ReadOnly": True,
            }
        )
    return mounts


def _host_path(project: Project, text: str) -> Path:
    """Return a path of the host; relative ones begin at the project's folder."""
    # Not `Path.expanduser`, which fails for a user that does not exist.
    return project.place.folder / os.path.expanduser(text)  # noqa: PTH111


def _tmpfs(entry: str) -> tuple[str, str]:
    path, _, options = entry.partition(":")
    return path, options


def _whole_seconds(nanoseconds: int | None) -> int | None:
    return None if nanoseconds is None else -(-nanoseconds // 10**9)


def _listed(words: tuple[str, ...] | None) -> list[str] | None:
    return None if words is None else list(words)


def _without_nothing(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the parts that have a value: the engine and the image decide the others."""
    return {key: value for key, value in parts.items() if value not in (None, {}, [], "")}
