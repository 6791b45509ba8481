"""Supported keys of a Compose file: these keys of the Compose specification, and no others.

A key is supported if it is a field of one of these models; every other key is refused by name, not
ignored. Lists and maps, short and long forms, are accepted if the specification has both.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from backend.stack.compose.ports import PortRange, parse_address, parse_range, parse_short
from backend.stack.compose.shell_words import split_words
from backend.stack.compose.units import parse_duration, parse_size


class Part(BaseModel):
    """A mapping of the file: its fields are the allowed keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, value: Any) -> Any:
        """Leave out `x-` keys: they hold shared anchors, and have no effect themselves."""
        if not isinstance(value, dict):
            return value
        return {key: part for key, part in value.items() if not str(key).startswith("x-")}


def _words(value: Any) -> Any:
    return split_words(value) if isinstance(value, str) else value


def _test(value: Any) -> Any:
    if isinstance(value, str):
        value = ["CMD-SHELL", value]
    if not isinstance(value, list) or not value:
        return value
    command = value[1:]
    match value[0]:
        case "NONE" if command:
            raise ValueError("NONE stands alone")
        case "CMD" if not command or not command[0]:
            raise ValueError("after CMD comes a command")
        case "CMD-SHELL" if not command or not str(command[0]).strip():
            raise ValueError("after CMD-SHELL comes a command in one text")
        case "NONE" | "CMD" | "CMD-SHELL":
            return value
    raise ValueError("a list has to begin with NONE, CMD or CMD-SHELL")


def _user(text: str) -> str:
    names = text.split(":")
    if text and (len(names) > 2 or not all(map(_is_user, names))):
        raise ValueError("it is not a user: write it as a name or a number, or as USER:GROUP")
    return text


def _is_user(text: str) -> bool:
    """Return whether a text may be the name or the number of a user or a group."""
    if re.fullmatch("[0-9]{1,10}", text):
        return int(text) <= _LARGEST_USER
    return text not in ("true", "false") and bool(re.fullmatch(r"[^\W\d][\w.-]*\$?", text))


def _pause(nanoseconds: int) -> int:
    if 0 < nanoseconds < _MILLISECOND or nanoseconds > _LONGEST:
        raise ValueError("it has to be 0, which is the image's own, or 1ms to 2562047h")
    return nanoseconds


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _nothing_is_empty(value: Any) -> Any:
    """Read `data:` without a value as an empty mapping."""
    return {} if value is None else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
"""A command: a list, or one string that is split as a shell would."""

Several = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]

_LARGEST_USER = 2**31 - 1
_MILLISECOND = 10**6
_LONGEST = 2562047 * 3600 * 10**9
"""Largest duration that the engine's 64 bits can hold."""

Nanoseconds = Annotated[int, BeforeValidator(parse_duration)]

Pause = Annotated[int, BeforeValidator(parse_duration), AfterValidator(_pause)]
"""Nanoseconds, within the limits of the engine for a healthcheck."""

Bytes = Annotated[int, BeforeValidator(parse_size)]


class Build(Part):
    """The build of an image."""

    context: str = "."
    dockerfile: str = "Dockerfile"
    """Relative to the context."""
    args: dict[str, str] = {}
    target: str | None = None
    labels: dict[str, str] = {}


class Port(Part):
    """A port of the container, and its published port."""

    target: int = Field(ge=1, le=65535)
    published: Annotated[PortRange, BeforeValidator(parse_range)] | None = None
    """None lets the engine choose."""
    host_ip: Annotated[str, BeforeValidator(parse_address)] = ""
    """With an empty text the port is published on every address of the host."""
    protocol: Literal["tcp", "udp"] = "tcp"
    mode: Literal["ingress", "host"] = "ingress"
    """For Swarm; it has no effect here."""

    @model_validator(mode="before")
    @classmethod
    def _from_short(cls, value: Any) -> Any:
        return parse_short(value) if isinstance(value, str) else value


class Bind(Part):
    """Options for mounting a path of the host."""

    create_host_path: bool = True
    """Whether a missing folder is created."""


class Mount(Part):
    """A named volume or a path of the host, and its target in the container."""

    type: Literal["volume", "bind"] = "volume"
    source: str
    target: str
    read_only: bool = False
    bind: Bind | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_short(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        source, _, rest = value.partition(":")
        target, _, mode = rest.partition(":")
        if not target.startswith("/") or mode not in ("", "ro", "rw"):
            raise ValueError(
                f"{value!r} is not a volume: write it as data:/path or ./data:/path:ro"
            )
        parts = {"source": source, "target": target, "read_only": mode == "ro"}
        if source.startswith((".", "/", "~")):
            return {**parts, "type": "bind", "bind": {}}
        return {**parts, "type": "volume"}


class SecretUse(Part):
    """A secret that a service sees as a file under /run/secrets."""

    source: str
    target: str | None = None
    """A name under /run/secrets, or a path; the secret's own name by default."""

    @model_validator(mode="before")
    @classmethod
    def _from_short(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value


class EnvFile(Part):
    """A file of variables for the container."""

    path: str
    required: bool = True

    @model_validator(mode="before")
    @classmethod
    def _from_short(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class Condition(StrEnum):
    """The condition for a service that another one waits for."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


class Dependency(Part):
    """A service that must be up first."""

    condition: Condition = Condition.STARTED


class Healthcheck(Part):
    """The check by which the engine decides whether a container is healthy."""

    test: Annotated[tuple[str, ...], BeforeValidator(_test)] = ()
    interval: Pause | None = None
    timeout: Pause | None = None
    start_period: Pause | None = None
    retries: int | None = Field(default=None, ge=1, le=1_000_000)
    disable: bool = False


class Amounts(Part):
    """Limits of a container."""

    cpus: float | None = Field(default=None, gt=0)
    memory: Bytes | None = None
    pids: int | None = None


class Resources(Part):
    """The resources of a container."""

    limits: Amounts = Amounts()


class Deploy(Part):
    """The number of containers, and the resources of each."""

    replicas: int = Field(default=1, ge=0)
    resources: Resources = Resources()


class Logging(Part):
    """The destination of a container's output."""

    driver: str | None = None
    options: dict[str, str] = {}


class NetworkUse(Part):
    """A network of a service; the service has these names there in addition to its own."""

    aliases: tuple[str, ...] = ()


class Service(Part):
    """One kind of container."""

    image: str | None = None
    build: Build | None = None
    command: Words | None = None
    entrypoint: Words | None = None
    environment: dict[str, str] = {}
    """A name without a value takes it from the variables, or is left out."""
    env_file: Annotated[tuple[EnvFile, ...], BeforeValidator(_one_or_many)] = ()
    """`environment` has priority over these files, and a later file over an earlier one."""
    user: Annotated[str, AfterValidator(_user)] | None = None
    working_dir: str | None = None
    hostname: str | None = None
    labels: dict[str, str] = {}
    depends_on: dict[str, Dependency] = {}
    healthcheck: Healthcheck | None = None
    restart: str = Field(default="no", pattern=r"^(no|always|unless-stopped|on-failure(:\d+)?)$")
    stop_grace_period: Nanoseconds | None = None
    stop_signal: str | None = None
    init: bool | None = None
    ports: tuple[Port, ...] = ()
    expose: tuple[Annotated[str, Field(pattern=r"^\d+(/(tcp|udp))?$")], ...] = ()
    networks: dict[str, Annotated[NetworkUse, BeforeValidator(_nothing_is_empty)]] = {}
    """The network `default` if there are none."""
    volumes: tuple[Mount, ...] = ()
    tmpfs: Several = ()
    secrets: tuple[SecretUse, ...] = ()
    read_only: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    shm_size: Bytes | None = None
    mem_limit: Bytes | None = None
    cpus: float | None = Field(default=None, gt=0)
    pids_limit: int | None = None
    deploy: Deploy = Deploy()
    logging: Logging = Logging()


class Network(Part):
    """A network of the stack."""

    driver: str | None = None
    internal: bool = False


class Volume(Part):
    """A named volume of the stack."""

    driver: str | None = None


class Secret(Part):
    """A secret stored in a file, relative to the first Compose file."""

    file: str


class ComposeFile(Part):
    """A whole file, or the result of merging several."""

    version: str | None = None
    """Obsolete; it has no effect."""
    services: dict[str, Service] = Field(min_length=1)
    networks: dict[str, Annotated[Network, BeforeValidator(_nothing_is_empty)]] = {}
    volumes: dict[str, Annotated[Volume, BeforeValidator(_nothing_is_empty)]] = {}
    secrets: dict[str, Secret] = {}
