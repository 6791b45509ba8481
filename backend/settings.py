"""Every environment variable of the backend: read once, checked, typed.

Plain code instead of a settings library: this runs before every task, and a library's import
(pydantic-settings: 0.16 s) would take longer than the task itself.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from alembic_boot import (
    AlembicConfig,
    BootDescription,
    BootSettings,
    ConfigurationError,
    DatabaseUrl,
    OnFailure,
    Values,
    as_typed,
    build_database_url,
    hide,
    hide_password,
    read_serve_policy,
    read_settings,
    read_values,
)
from backend import PROGRAM, __version__
from backend.disposal import disposal, is_in_image
from backend.env_file import misspelt_names, read_env_file
from backend.uses import EVERYTHING, used_variables
from backend.variables import VARIABLES, Use

_OWN_APP = "backend.main:app"

_PRELOAD = ("sqlalchemy.orm", "fastapi")
"""The imports of our application that take longest."""

DATA_FOLDER = Path(".data")
"""The folder of the embedded PostgreSQL's files, relative to the working directory."""

DEFAULT_PASSWORD = "moriai_password"  # noqa: S105 (the documented development default)

STACK_JWT_SECRET = "moriai_jwt_secret"  # noqa: S105
"""The secret in docker-compose.yml for a laptop's stack, whose containers cannot store one."""

LEAST_SECRET = 16
"""Characters: a shorter secret could be found by trying."""


class AppEnv(StrEnum):
    """The environment of the service; it decides what is allowed and how strict the boot is."""

    DEV = "dev"
    TEST = "test"
    PROD = "prod"


@dataclass(frozen=True, kw_only=True)
class Settings(BootSettings):
    """The settings of one process. A URL of None means the embedded PostgreSQL."""

    app_env: AppEnv
    database_url: DatabaseUrl | None
    migration_database_url: DatabaseUrl | None
    events_database_url: DatabaseUrl | None
    database_name: str
    max_body_bytes: int
    api_docs: bool
    sign_in_limits: bool
    jwt_secret: str | None = field(repr=False)
    service_links: tuple[str, ...]
    """Variables that Kubernetes has set for a Service of ours: they count as unset."""
    misspelt: tuple[tuple[str, str], ...] = ()
    """Names in `.env` that are close to the name of a setting, each with that setting."""
    status_host: str = "127.0.0.1"
    status_port: int = 0
    """The port on which only the status page is shown; 0 for none."""
    is_in_stack: bool = False
    """Whether this is a container of docker-compose.yml, with the database of the stack."""

    @property
    def shows_status_page(self) -> bool:
        """Return whether the port of the application shows the status page as well."""
        return self.app_env is AppEnv.DEV

    def description(self, embedded_url: DatabaseUrl | None = None) -> BootDescription:
        """Return what to boot; `embedded_url` is used if no database is configured."""
        url = self.database_url or embedded_url
        if url is None:
            raise ConfigurationError(
                "No database is configured.",
                f"Set DATABASE_URL, or use `{as_typed('start')}`, which brings an embedded "
                "PostgreSQL along.",
            )
        migration_url = self.migration_database_url or url
        boot = self.on(url, migration_url)
        if self.app_env is AppEnv.PROD:
            return boot
        way = disposal(migration_url, DATA_FOLDER, is_in_stack=self.is_in_stack)
        return replace(boot, schema=replace(self.schema, disposal=way))

    def require_secrets_to_serve(self) -> None:
        """Raise ConfigurationError if production would serve with a missing or weak secret.

        The secret of docker-compose.yml for laptops counts as missing: it is public.
        """
        if self.app_env is not AppEnv.PROD:
            return
        secret = (self.jwt_secret or "").strip()
        if secret == STACK_JWT_SECRET:
            secret = ""
        if 0 < len(secret) < LEAST_SECRET:
            raise ConfigurationError(
                f"JWT_SECRET is shorter than {LEAST_SECRET} characters.",
                "An attacker who finds it can sign in as any user: set a long random text.",
            )
        if not secret:
            raise ConfigurationError(
                "JWT_SECRET is not set.",
                "Serving in production needs it: set a long random text, or JWT_SECRET_FILE.",
            )


def load_settings(
    environ: Mapping[str, str] | None = None,
    env_file: Path = Path(".env"),
    uses: Collection[Use] = EVERYTHING,
) -> Settings:
    """Return the settings from the environment and, in development, from a `.env` file.

    The environment has priority over the file. An empty value counts as unset, because Compose
    passes such values. Variables without one of these `uses` count as unset, too. Raises
    ConfigurationError.
    """
    given = dict(os.environ if environ is None else environ)
    in_file: Mapping[str, str] = {}
    if given.get("APP_ENV", "").strip().lower() in ("", AppEnv.DEV):
        in_file = read_env_file(env_file, given, used_variables(uses))
    values = _read_values({**in_file, **{key: it for key, it in given.items() if it}}, uses)
    app_env = values.one_of("APP_ENV", AppEnv, AppEnv.DEV)
    is_prod = app_env is AppEnv.PROD
    database_url = _database_url(values, is_prod)
    migration_url = values.url("MIGRATION_DATABASE_URL") or database_url
    if is_prod and database_url is None:
        raise ConfigurationError(
            "No database is configured.",
            "APP_ENV=prod needs DATABASE_URL, or POSTGRES_HOST with POSTGRES_USER, "
            "POSTGRES_PASSWORD and POSTGRES_DB.",
        )
    events_url = values.url("EVENTS_DATABASE_URL")
    for name, url in (
        ("MIGRATION_DATABASE_URL", migration_url),
        ("EVENTS_DATABASE_URL", events_url),
    ):
        if url is not None and database_url is None:
            raise ConfigurationError(
                f"{name} is set without DATABASE_URL.",
                "Set DATABASE_URL too: the application connects to it.",
            )
    serve = read_serve_policy(values, PROGRAM.setting)
    if serve.reload and app_env is not AppEnv.DEV:
        raise ConfigurationError(
            f"RELOAD is for development only, and APP_ENV is {app_env}.", "Unset RELOAD."
        )
    sign_in_limits = values.boolean("SIGN_IN_LIMITS", default=True)
    if sign_in_limits and _trusts_everybody(serve.forwarded_allow_ips):
        raise ConfigurationError(
            "FORWARDED_ALLOW_IPS trusts every address, so each client could invent its own and "
            "escape the limits of attempts.",
            "Name the addresses or networks of your proxies, as in `10.0.0.7,172.16.0.0/12`; or "
            "set SIGN_IN_LIMITS=false if something in front limits attempts already.",
        )
    jwt_secret = values.secret("JWT_SECRET")
    hide(jwt_secret)
    settings = Settings(
        app_env=app_env,
        database_url=database_url,
        migration_database_url=migration_url,
        events_database_url=events_url,
        database_name=values.text("POSTGRES_DB", "moriai_db"),
        serve=serve,
        seed=values.boolean("SEED", default=not is_prod),
        on_failure=OnFailure.CONTINUE if app_env is AppEnv.DEV else OnFailure.EXIT,
        may_create_database=not is_prod,
        compare_models=not is_prod,
        app_version=__version__,
        api_docs=values.boolean("API_DOCS", default=not is_prod),
        max_body_bytes=values.integer("MAX_BODY_BYTES", 1 << 20, least=1, most=1 << 40),
        sign_in_limits=sign_in_limits,
        jwt_secret=jwt_secret,
        service_links=values.service_links,
        misspelt=misspelt_names(in_file, VARIABLES),
        alembic_config=AlembicConfig(
            Path(values.text("ALEMBIC_CONFIG", "alembic.ini")),
            values.text("ALEMBIC_NAME", "alembic"),
            values.words("ALEMBIC_X"),
        ),
        asgi_app=_OWN_APP,
        seed_callable="backend.seeds:seed",
        preload=_PRELOAD if values.text("ASGI_APP", _OWN_APP) == _OWN_APP else (),
        status_host=values.text("STATUS_HOST", "127.0.0.1"),
        status_port=values.integer("STATUS_PORT", 0, least=0, most=65535),
        is_in_stack="POSTGRES_HOST" in values.given
        and "DATABASE_URL" not in values.given
        and is_in_image(),
    )
    return read_settings(values, settings, PROGRAM.setting)


def _read_values(given: Mapping[str, str], uses: Collection[Use]) -> Values:
    # Masked even if nothing here uses it: code of the project may print it.
    hide(given.get("JWT_SECRET"))
    return read_values(given, used_variables(uses))


def _trusts_everybody(proxies: str) -> bool:
    """Return whether one of these comma-separated networks contains every address."""
    return any(it.strip() == "*" or it.strip().endswith("/0") for it in proxies.split(","))


def _database_url(values: Values, is_prod: bool) -> DatabaseUrl | None:
    if url := values.url("DATABASE_URL"):
        return url
    host = values.text("POSTGRES_HOST", "")
    if not host:
        return None
    url = build_database_url(
        host=host,
        port=values.text("POSTGRES_PORT", "5432"),
        user=values.text("POSTGRES_USER", "moriai_user"),
        password=_password(values, is_prod),
        database=values.text("POSTGRES_DB", "moriai_db"),
    )
    hide_password(url)
    # The file was read just now, so an unreadable file is reported at once.
    file = values.text("POSTGRES_PASSWORD_FILE", "")
    return replace(url, password_file=Path(file)) if file else url


def _password(values: Values, is_prod: bool) -> str:
    given = values.secret("POSTGRES_PASSWORD")
    if given is None and is_prod:
        raise ConfigurationError(
            "POSTGRES_PASSWORD is not set.",
            "APP_ENV=prod has no default for it: set it, or POSTGRES_PASSWORD_FILE.",
        )
    return DEFAULT_PASSWORD if given is None else given
