"""The variables that `alembic-boot` reads. It imports nothing: the help needs no package."""

from collections.abc import Mapping

VARIABLES: Mapping[str, tuple[str, str]] = {
    "DATABASE_URL": ("the URL that env.py uses", "where the application connects"),
    "MIGRATION_DATABASE_URL": ("DATABASE_URL", "a direct connection of the schema's owner"),
    "ALEMBIC_CONFIG": (
        "alembic.ini, else pyproject.toml",
        "the Alembic project, as `-c` names it; Alembic reads this variable, too",
    ),
    "ALEMBIC_BOOT_NAME": ("alembic", "the section of alembic.ini, as `alembic -n` names it"),
    "ALEMBIC_BOOT_X": (
        "",
        "arguments for env.py, as `alembic -x` gives them: `tenant=a 'note=two words'`",
    ),
    "ALEMBIC_BOOT_TARGET": (
        "head",
        "a revision to pin the schema to; several with commas; `heads` for all branches",
    ),
    "ALEMBIC_BOOT_ROLLBACK": (
        "false",
        "go down to the parent of head, or to ALEMBIC_BOOT_TARGET",
    ),
    "ALEMBIC_BOOT_ON_FAILURE": (
        "exit",
        "what `start` and `run` do when the schema cannot be brought to its target: exit, or "
        "continue",
    ),
    "ALEMBIC_BOOT_WAIT_TIMEOUT": ("60", "seconds to wait for PostgreSQL"),
    "ALEMBIC_BOOT_LOCK_TIMEOUT": ("300", "seconds to wait for another starter that migrates"),
    "ALEMBIC_BOOT_TRAFFIC_TIMEOUT": (
        "120",
        "seconds for which live traffic may block migrations",
    ),
    "ALEMBIC_BOOT_CREATE_DATABASE": ("false", "create the database if it is missing"),
    "ALEMBIC_BOOT_SCRATCH_DATABASE_URL": (
        "a database made beside the real one",
        "a database with the schema `boot_scratch`, for replays; its content is dropped",
    ),
    "ALEMBIC_BOOT_TEST_DATABASE_URL": (
        "DATABASE_URL",
        "for the plugin of pytest: a database on the server for tests",
    ),
    "ALEMBIC_BOOT_EMBEDDED": (
        "",
        "a folder for an embedded PostgreSQL, which is started if no URL is set",
    ),
    "ALEMBIC_BOOT_SEED": (
        "",
        "what inserts data after the migrations, as `module:function`; it gets a connection",
    ),
    "ALEMBIC_BOOT_APP": ("", "the application that `start` serves, as `module:attribute`"),
    "ALEMBIC_BOOT_HOST": ("127.0.0.1", "the address to serve on"),
    "ALEMBIC_BOOT_PORT": (
        "8000; `run` answers nothing without it",
        "the port of `start`; for `run`, a port that answers probes until the command runs",
    ),
    "ALEMBIC_BOOT_STATUS_HOST": ("127.0.0.1", "the address of ALEMBIC_BOOT_STATUS_PORT"),
    "ALEMBIC_BOOT_STATUS_PORT": ("", "a port of `start` for the status page alone"),
    "ALEMBIC_BOOT_LIVE_PATH": ("/health/live", "the liveness path that answers during the boot"),
    "ALEMBIC_BOOT_READY_PATH": ("/health/ready", "the readiness path that answers during the boot"),
    "ALEMBIC_BOOT_WORKERS": ("1", "worker processes"),
    "ALEMBIC_BOOT_RELOAD": (
        "false",
        "on changes of code or revisions, do what `start` does again; development only",
    ),
    "ALEMBIC_BOOT_DRAIN_DELAY": (
        "0",
        "seconds to keep serving after SIGTERM while readiness returns 503",
    ),
    "ALEMBIC_BOOT_FORWARDED_ALLOW_IPS": (
        "127.0.0.1",
        "proxies whose X-Forwarded-For names the client: addresses and networks, `a,b`",
    ),
    "ALEMBIC_BOOT_COMPARE_MODELS": ("false", "compare the models with the schema while serving"),
    "ALEMBIC_BOOT_APP_VERSION": ("", "the release, for the journal"),
    "ALEMBIC_BOOT_LOG_LEVEL": ("info", "debug, info, warning or error"),
    "ALEMBIC_BOOT_LOG_FORMAT": ("text", "text, or json for one object a line"),
}
"""Name → (default as people write it, purpose). docs/reference.md is made from this."""
