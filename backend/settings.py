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
    ConfigurationError,
    DatabaseUrl,
    LogFormat,
    LogLevel,
    OnFailure,
    SchemaPolicy,
    ServePolicy,
    Values,
    as_typed,
    build_database_url,
    hide,
    hide_password,
    read_values,
)
from backend import __version__
from backend.disposal import disposal, is_in_image
from backend.env_file import read_env_file
from backend.uses import EVERYTHING, Use, used_variables

# name → (default as people write it, purpose). docs/reference.md is made from this.
VARIABLES: Mapping[str, tuple[str, str]] = {
    "APP_ENV": ("dev", "dev, test or prod"),
    "DATABASE_URL": ("embedded PostgreSQL under `.data/`", "where the application connects"),
    "POSTGRES_HOST": ("", "if DATABASE_URL is not set: the server; several as `h1,h2`"),
    "POSTGRES_PORT": ("5432", "its port; of several servers `p1,p2`"),
    "POSTGRES_USER": ("moriai_user", "the role"),
    "POSTGRES_PASSWORD": ("moriai_password", "its password (no default in prod)"),
    "POSTGRES_PASSWORD_FILE": ("", "a file that holds the password; read again for each login"),
    "POSTGRES_DB": ("moriai_db", "the database"),
    "MIGRATION_DATABASE_URL": ("DATABASE_URL", "a direct connection of the schema's owner"),
    "EVENTS_DATABASE_URL": ("DATABASE_URL", "a direct connection to hear events by"),
    "SCRATCH_DATABASE_URL": (
        "a database made beside the real one",
        "a database with the schema `boot_scratch`, for replays; its content is dropped",
    ),
    "DB_WAIT_TIMEOUT": ("60", "seconds to wait for PostgreSQL"),
    "MIGRATE_ON_FAILURE": (
        "dev: continue; else exit",
        "what `start` does when the schema cannot be brought to its target",
    ),
    "MIGRATE_LOCK_TIMEOUT": ("300", "seconds to wait for another starter that migrates"),
    "MIGRATE_TRAFFIC_TIMEOUT": ("120", "seconds for which live traffic may block migrations"),
    "MIGRATION_TARGET": (
        "head",
        "a revision to pin the schema to; several with commas; `heads` for all branches",
    ),
    "MIGRATION_ROLLBACK": ("false", "go down to the parent of head, or to MIGRATION_TARGET"),
    "SEED": ("prod: false; else true", "whether `start` inserts the development data"),
    "BACKEND_HOST": ("127.0.0.1", "the address to serve on"),
    "BACKEND_PORT": ("8000", "the port to serve on; 0 takes any free one"),
    "RELOAD": (
        "false",
        "on changes of code or revisions, do what `start` does again; development only",
    ),
    "WEB_CONCURRENCY": ("1", "worker processes"),
    "DRAIN_DELAY": (
        "0",
        "seconds to keep serving after SIGTERM while readiness returns 503",
    ),
    "STATUS_HOST": ("127.0.0.1", "the address of STATUS_PORT"),
    "STATUS_PORT": (
        "",
        "a port for the status page alone, in prod as well",
    ),
    "API_DOCS": ("prod: false; else true", "serve `/docs` and `/openapi.json`"),
    "MAX_BODY_BYTES": ("1048576", "the largest body of a request"),
    "SIGN_IN_LIMITS": ("true", "whether too many attempts to sign in or register are refused"),
    "FORWARDED_ALLOW_IPS": (
        "127.0.0.1",
        "proxies whose X-Forwarded-For names the client: addresses and networks, `a,b`",
    ),
    "JWT_SECRET": (
        "made and kept under `.data/`",
        "signs the tokens; in prod it must be set to serve",
    ),
    "JWT_SECRET_FILE": ("", "a file that holds it; read once, at the start"),
    "LOG_LEVEL": ("info", "debug, info, warning or error"),
    "LOG_FORMAT": ("text", "text, or json for one object a line"),
    "ALEMBIC_CONFIG": (
        "alembic.ini",
        "the Alembic project to boot: its alembic.ini or pyproject.toml",
    ),
    "ALEMBIC_NAME": ("alembic", "the section of alembic.ini to read, as `alembic -n` names it"),
    "ALEMBIC_X": (
        "",
        "arguments for env.py, as `alembic -x` gives them: `tenant=a 'note=two words'`",
    ),
    "ASGI_APP": ("backend.main:app", "the application to serve"),
    "SEED_CALLABLE": ("backend.seeds:seed", "what inserts the development data"),
}

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


@dataclass(frozen=True)
class LogSettings:
    """The settings of the log, for tasks that boot nothing themselves."""

    log_level: LogLevel
    log_format: LogFormat
    service_links: tuple[str, ...]
    """Variables that Kubernetes has set for a Service of ours: they count as unset."""


@dataclass(frozen=True)
class Settings(LogSettings):
    """The settings of one process. A URL of None means the embedded PostgreSQL."""

    app_env: AppEnv
    database_url: DatabaseUrl | None
    migration_database_url: DatabaseUrl | None
    events_database_url: DatabaseUrl | None
    scratch_database_url: DatabaseUrl | None
    database_name: str
    db_wait_timeout: float
    migrate_on_failure: OnFailure
    schema: SchemaPolicy
    serve: ServePolicy
    seed: bool
    max_body_bytes: int
    api_docs: bool
    sign_in_limits: bool
    jwt_secret: str | None = field(repr=False)
    alembic_config: AlembicConfig
    asgi_app: str
    seed_callable: str
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
        is_disposable = self.app_env is not AppEnv.PROD
        way = disposal(migration_url, DATA_FOLDER, is_in_stack=self.is_in_stack)
        return BootDescription(
            database_url=url,
            migration_database_url=migration_url,
            scratch_database_url=self.scratch_database_url,
            alembic_config=self.alembic_config,
            asgi_app=self.asgi_app,
            seed_callable=self.seed_callable,
            schema=replace(self.schema, disposal=way if is_disposable else None),
            serve=self.serve,
            seed=self.seed,
            on_failure=self.migrate_on_failure,
            wait_timeout=self.db_wait_timeout,
            may_create_database=is_disposable,
            log_level=self.log_level,
            log_format=self.log_format,
            preload=_PRELOAD if self.asgi_app == _OWN_APP else (),
            app_version=__version__,
            compare_models=self.app_env is not AppEnv.PROD,
        )

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
    values = _read_values(environ, env_file, uses)
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
    serve = ServePolicy(
        host=values.text("BACKEND_HOST", "127.0.0.1"),
        port=values.integer("BACKEND_PORT", 8000, least=0, most=65535),
        reload=values.boolean("RELOAD", default=False),
        workers=values.integer("WEB_CONCURRENCY", 1, least=1, most=1024),
        drain_delay=values.seconds("DRAIN_DELAY", 0),
        forwarded_allow_ips=values.text("FORWARDED_ALLOW_IPS", "127.0.0.1"),
    )
    if serve.reload and app_env is not AppEnv.DEV:
        raise ConfigurationError(
            f"RELOAD is for development only, and APP_ENV is {app_env}.", "Unset RELOAD."
        )
    if serve.reload and serve.workers > 1:
        raise ConfigurationError(
            "RELOAD works with one worker only.", "Unset RELOAD or WEB_CONCURRENCY."
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
    for url in (database_url, migration_url, events_url, values.url("SCRATCH_DATABASE_URL")):
        hide_password(url)
    return Settings(
        app_env=app_env,
        database_url=database_url,
        migration_database_url=migration_url,
        events_database_url=events_url,
        scratch_database_url=values.url("SCRATCH_DATABASE_URL"),
        database_name=values.text("POSTGRES_DB", "moriai_db"),
        db_wait_timeout=values.seconds("DB_WAIT_TIMEOUT", 60),
        migrate_on_failure=values.one_of(
            "MIGRATE_ON_FAILURE",
            OnFailure,
            OnFailure.CONTINUE if app_env is AppEnv.DEV else OnFailure.EXIT,
        ),
        schema=SchemaPolicy(
            target=values.text("MIGRATION_TARGET", "") or None,
            rollback=values.boolean("MIGRATION_ROLLBACK", default=False),
            lock_timeout=values.seconds("MIGRATE_LOCK_TIMEOUT", 300),
            traffic_timeout=values.seconds("MIGRATE_TRAFFIC_TIMEOUT", 120),
        ),
        serve=serve,
        seed=values.boolean("SEED", default=not is_prod),
        api_docs=values.boolean("API_DOCS", default=not is_prod),
        max_body_bytes=values.integer("MAX_BODY_BYTES", 1 << 20, least=1, most=1 << 40),
        sign_in_limits=sign_in_limits,
        jwt_secret=jwt_secret,
        log_level=_log_level(values),
        log_format=_log_format(values),
        service_links=values.service_links,
        alembic_config=AlembicConfig(
            Path(values.text("ALEMBIC_CONFIG", "alembic.ini")),
            values.text("ALEMBIC_NAME", "alembic"),
            values.words("ALEMBIC_X"),
        ),
        asgi_app=values.text("ASGI_APP", _OWN_APP),
        seed_callable=values.text("SEED_CALLABLE", "backend.seeds:seed"),
        status_host=values.text("STATUS_HOST", "127.0.0.1"),
        status_port=values.integer("STATUS_PORT", 0, least=0, most=65535),
        is_in_stack="POSTGRES_HOST" in values.given
        and "DATABASE_URL" not in values.given
        and is_in_image(),
    )


def load_log_settings(
    environ: Mapping[str, str] | None = None, env_file: Path = Path(".env")
) -> LogSettings:
    """Return the log's settings, from the same sources as `load_settings`.

    Other variables are ignored. The variables of a stack are for its containers: a range of ports
    in BACKEND_PORT, for example, does not concern this process. Raises ConfigurationError.
    """
    values = _read_values(environ, env_file, (Use.LOG,))
    return LogSettings(_log_level(values), _log_format(values), values.service_links)


def _read_values(
    environ: Mapping[str, str] | None, env_file: Path, uses: Collection[Use]
) -> Values:
    given = dict(os.environ if environ is None else environ)
    if given.get("APP_ENV", "").strip().lower() in ("", AppEnv.DEV):
        given = {
            **read_env_file(env_file, given, used_variables(uses)),
            **{key: text for key, text in given.items() if text},
        }
    # Masked even if nothing here uses it: code of the project may print it.
    hide(given.get("JWT_SECRET"))
    return read_values(given, used_variables(uses))


def _log_level(values: Values) -> LogLevel:
    return values.one_of("LOG_LEVEL", LogLevel, LogLevel.INFO)


def _log_format(values: Values) -> LogFormat:
    return values.one_of("LOG_FORMAT", LogFormat, LogFormat.TEXT)


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
