"""The settings of `alembic-boot`: its own variables and flags, as a description of what to boot.

Variables of other programs (APP_ENV, LOG_LEVEL, BACKEND_PORT, …) are not read.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from alembic_boot.commands import PREFIX, Program
from alembic_boot.description import (
    AlembicConfig,
    BootDescription,
    BootSettings,
    OnFailure,
    ServePolicy,
)
from alembic_boot.errors import ConfigurationError
from alembic_boot.misspelt_names import misspelt_names
from alembic_boot.own_variables import VARIABLES
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.variables import LogFormat, LogLevel, Values, read_values

URL = "--url"
"""The flag, beside the variables: a URL that was typed."""

EMBEDDED_DATABASE = "app"
"""The database of an embedded PostgreSQL."""

S = TypeVar("S", bound=BootSettings)

_OWN_NAME = Program().setting


@dataclass(frozen=True)
class Settings:
    """The settings of one process."""

    values: Values
    alembic_config: AlembicConfig
    log_level: LogLevel
    log_format: LogFormat
    service_links: tuple[str, ...]
    misspelt: tuple[tuple[str, str], ...]
    database_url: DatabaseUrl | None
    migration_database_url: DatabaseUrl | None
    """Both URLs are None if neither a variable nor a flag gives one."""

    @property
    def embedded_folder(self) -> Path | None:
        """Return the folder of the embedded PostgreSQL, if it is to be started."""
        text = self.values.text(f"{PREFIX}EMBEDDED", "")
        return Path(text) if text and self.migration_database_url is None else None

    @property
    def seed(self) -> str:
        """Return the seed callable; an empty text without one."""
        return self.values.text(f"{PREFIX}SEED", "")

    @property
    def app_version(self) -> str | None:
        """Return the release; None if it is not known."""
        return self.values.text(f"{PREFIX}APP_VERSION", "") or None

    @property
    def status_address(self) -> tuple[str, int]:
        """Return the address of the status page; port 0 means none."""
        host = self.values.text(f"{PREFIX}STATUS_HOST", "127.0.0.1")
        return host, self.values.integer(f"{PREFIX}STATUS_PORT", 0, least=0, most=65535)

    @property
    def has_port(self) -> bool:
        """Return whether a port is set."""
        return bool(self.values.text(f"{PREFIX}PORT", ""))

    @property
    def probe_paths(self) -> tuple[str, str]:
        """Return the paths of liveness and readiness during the boot."""
        live = self.values.text(f"{PREFIX}LIVE_PATH", "/health/live")
        return live, self.values.text(f"{PREFIX}READY_PATH", "/health/ready")

    def require_app(self) -> None:
        """Raise ConfigurationError if there is no application to serve."""
        if not self.values.text(f"{PREFIX}APP", ""):
            raise ConfigurationError(
                "There is no application to serve.",
                f"Name it: --app module:attribute, or {PREFIX}APP.",
            )

    def refuse_embedded(self) -> None:
        """Raise ConfigurationError if an embedded PostgreSQL would be started."""
        if self.embedded_folder is not None:
            raise ConfigurationError(
                "`run` gives its process away, and an embedded PostgreSQL would end with it.",
                f"Set DATABASE_URL, or serve with `start` instead of {PREFIX}EMBEDDED and `run`.",
            )

    def serving(self) -> ServePolicy:
        """Return the settings of the server. Raises ConfigurationError."""
        return read_serve_policy(self.values, _OWN_NAME)

    def describe(self, url: DatabaseUrl, serve: ServePolicy | None = None) -> BootDescription:
        """Return what to boot; `url` is used if no URL is set. Raises ConfigurationError."""
        given = BootSettings(
            alembic_config=self.alembic_config,
            serve=serve or ServePolicy(),
            seed=bool(self.seed),
            may_create_database=self.embedded_folder is not None,
        )
        settings = read_settings(self.values, given, _OWN_NAME)
        return settings.on(self.database_url or url, self.migration_database_url or url)


def read_settings(values: Values, settings: S, name: Callable[[str], str]) -> S:
    """Return the settings, with what the variables say instead; the server's are not read.

    `name` returns the variable of a setting, such as ALEMBIC_BOOT_TARGET for TARGET. Raises
    ConfigurationError.
    """
    schema = settings.schema
    return replace(
        settings,
        scratch_database_url=values.url(name("SCRATCH_DATABASE_URL")),
        asgi_app=values.text(name("APP"), settings.asgi_app),
        seed_callable=values.text(name("SEED"), settings.seed_callable),
        schema=replace(
            schema,
            target=values.text(name("TARGET"), "") or None,
            rollback=values.boolean(name("ROLLBACK"), default=False),
            lock_timeout=values.seconds(name("LOCK_TIMEOUT"), schema.lock_timeout),
            traffic_timeout=values.seconds(name("TRAFFIC_TIMEOUT"), schema.traffic_timeout),
        ),
        on_failure=values.one_of(name("ON_FAILURE"), OnFailure, settings.on_failure),
        wait_timeout=values.seconds(name("WAIT_TIMEOUT"), settings.wait_timeout),
        may_create_database=settings.may_create_database
        or values.boolean(name("CREATE_DATABASE"), default=False),
        log_level=values.one_of(name("LOG_LEVEL"), LogLevel, LogLevel(settings.log_level)),
        log_format=values.one_of(name("LOG_FORMAT"), LogFormat, LogFormat(settings.log_format)),
        app_version=values.text(name("APP_VERSION"), settings.app_version or "") or None,
        compare_models=values.boolean(name("COMPARE_MODELS"), default=settings.compare_models),
    )


def read_serve_policy(values: Values, name: Callable[[str], str]) -> ServePolicy:
    """Return the settings of the server; `name` is that of `read_settings`.

    Raises ConfigurationError.
    """
    policy = ServePolicy(
        host=values.text(name("HOST"), ServePolicy.host),
        port=values.integer(name("PORT"), ServePolicy.port, least=0, most=65535),
        reload=values.boolean(name("RELOAD"), default=False),
        workers=values.integer(name("WORKERS"), 1, least=1, most=1024),
        drain_delay=values.seconds(name("DRAIN_DELAY"), 0),
        forwarded_allow_ips=values.text(
            name("FORWARDED_ALLOW_IPS"), ServePolicy.forwarded_allow_ips
        ),
    )
    if policy.reload and policy.workers > 1:
        raise ConfigurationError(
            f"{name('RELOAD')} works with one worker only.",
            f"Unset {name('RELOAD')} or {name('WORKERS')}.",
        )
    return policy


def load_settings(
    flags: Mapping[str, str | None],
    arguments: tuple[str, ...] = (),
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings of the environment, over which flags win.

    `flags` are variables by name, and the URL that was typed; `arguments` are those of `-x`. An
    empty value counts as unset. Raises ConfigurationError.
    """
    given = {**(os.environ if environ is None else environ), **flags}
    values = read_values(given, {*VARIABLES, URL})
    typed = values.url(URL)
    own = None if typed else values.url("DATABASE_URL")
    direct = None if typed else values.url("MIGRATION_DATABASE_URL")
    return Settings(
        values,
        configured_project(values, arguments),
        values.one_of(f"{PREFIX}LOG_LEVEL", LogLevel, LogLevel.INFO),
        values.one_of(f"{PREFIX}LOG_FORMAT", LogFormat, LogFormat.TEXT),
        values.service_links,
        misspelt_names(given),
        typed or own or direct,
        typed or direct or own,
    )


def configured_project(values: Values, arguments: tuple[str, ...] = ()) -> AlembicConfig:
    """Return the project that the variables name, else the one that is here.

    `arguments` are those of `-x`. Raises ConfigurationError.
    """
    file = values.text("ALEMBIC_CONFIG", "")
    return AlembicConfig(
        Path(file) if file else find_config(Path()),
        values.text(f"{PREFIX}NAME", "alembic"),
        arguments or values.words(f"{PREFIX}X"),
        working_folder=working_folder(),
    )


def working_folder() -> Path:
    """Return the folder that this process works in. Raises ConfigurationError if it is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigurationError(
            f"The working folder cannot be found: {error.strerror}.", "Change to another folder."
        ) from error


def find_config(folder: Path) -> Path:
    """Return the folder's alembic.ini, or its pyproject.toml if that configures Alembic."""
    ini, toml = folder / "alembic.ini", folder / "pyproject.toml"
    # Not Path's, which raises for a folder that may not be entered: `read_config` reports that.
    has_ini = os.path.isfile(ini)  # noqa: PTH113
    return toml if not has_ini and _configures_alembic(toml) else ini


def _configures_alembic(toml: Path) -> bool:
    """Return whether a file has [tool.alembic]; also if it cannot be read, to have that told."""
    import tomllib

    if not os.path.isfile(toml):  # noqa: PTH113
        return False
    try:
        return "alembic" in tomllib.loads(toml.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return True
