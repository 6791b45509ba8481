"""The variables of each task. A task reads no others, so a wrong value elsewhere never stops it."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType


class Use(StrEnum):
    """A purpose of variables."""

    LOG = "log"
    DATABASE = "database"
    WAIT = "wait"
    HISTORY = "history"
    TARGET = "target"
    LOCK = "lock"
    SCRATCH = "scratch"
    SEED = "seed"
    START = "start"
    SERVE = "serve"


VARIABLES_OF: Mapping[Use, tuple[str, ...]] = MappingProxyType(
    {
        Use.LOG: ("LOG_LEVEL", "LOG_FORMAT"),
        Use.DATABASE: (
            "APP_ENV",
            "DATABASE_URL",
            "POSTGRES_HOST",
            "POSTGRES_PORT",
            "POSTGRES_USER",
            "POSTGRES_PASSWORD",
            "POSTGRES_PASSWORD_FILE",
            "POSTGRES_DB",
            "MIGRATION_DATABASE_URL",
        ),
        Use.WAIT: ("DB_WAIT_TIMEOUT",),
        Use.HISTORY: ("ALEMBIC_CONFIG", "ALEMBIC_NAME", "ALEMBIC_X"),
        Use.TARGET: ("MIGRATION_TARGET", "MIGRATION_ROLLBACK"),
        Use.LOCK: ("MIGRATE_LOCK_TIMEOUT", "MIGRATE_TRAFFIC_TIMEOUT"),
        Use.SCRATCH: ("SCRATCH_DATABASE_URL",),
        Use.SEED: ("SEED_CALLABLE",),
        Use.START: ("SEED", "MIGRATE_ON_FAILURE"),
        Use.SERVE: (
            "EVENTS_DATABASE_URL",
            "BACKEND_HOST",
            "BACKEND_PORT",
            "RELOAD",
            "WEB_CONCURRENCY",
            "DRAIN_DELAY",
            "STATUS_HOST",
            "STATUS_PORT",
            "API_DOCS",
            "MAX_BODY_BYTES",
            "SIGN_IN_LIMITS",
            "FORWARDED_ALLOW_IPS",
            "JWT_SECRET",
            "JWT_SECRET_FILE",
            "ASGI_APP",
        ),
    }
)

EVERYTHING = frozenset(Use)

_LOOK = {Use.LOG, Use.DATABASE, Use.HISTORY, Use.TARGET}
_REPLAY = {Use.LOG, Use.DATABASE, Use.WAIT, Use.HISTORY, Use.LOCK, Use.SCRATCH}

USES: Mapping[str, frozenset[Use]] = MappingProxyType(
    {
        "wait-db": frozenset({Use.LOG, Use.DATABASE, Use.WAIT}),
        "status": frozenset(_LOOK),
        "preview": frozenset({*_LOOK, Use.WAIT}),
        "migrate": frozenset({*_REPLAY, Use.TARGET}),
        "rollback": frozenset({*_REPLAY, Use.TARGET}),
        "adopt": frozenset({*_REPLAY, Use.TARGET}),
        "stamp": frozenset({*_LOOK, Use.WAIT, Use.LOCK}),
        "revision": frozenset(_REPLAY),
        "merge": frozenset({Use.LOG, Use.DATABASE, Use.HISTORY}),
        "check": frozenset({*_REPLAY, Use.TARGET}),
        "seed": frozenset({*_LOOK, Use.WAIT, Use.LOCK, Use.SEED}),
        "serve": frozenset({*_LOOK, Use.SERVE}),
        "start": EVERYTHING,
    }
)
"""The uses of each task that needs the database; `preview` is every `--dry-run`, and `--sql`."""


def used_variables(uses: Collection[Use]) -> frozenset[str]:
    """Return the names of the variables with one of these uses."""
    return frozenset(name for use in uses for name in VARIABLES_OF[use])
