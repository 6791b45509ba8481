"""MoriAI's backend: the storybook service, the first user of alembic_boot."""

from alembic_boot.commands import Program, use

__version__ = "0.1.0"

PROGRAM = Program(
    "inv",
    settings={
        "APP": "ASGI_APP",
        "DRAIN_DELAY": "DRAIN_DELAY",
        "FORWARDED_ALLOW_IPS": "FORWARDED_ALLOW_IPS",
        "HOST": "BACKEND_HOST",
        "LOCK_TIMEOUT": "MIGRATE_LOCK_TIMEOUT",
        "LOG_FORMAT": "LOG_FORMAT",
        "LOG_LEVEL": "LOG_LEVEL",
        "NAME": "ALEMBIC_NAME",
        "ON_FAILURE": "MIGRATE_ON_FAILURE",
        "PORT": "BACKEND_PORT",
        "RELOAD": "RELOAD",
        "ROLLBACK": "MIGRATION_ROLLBACK",
        "SCRATCH_DATABASE_URL": "SCRATCH_DATABASE_URL",
        "SEED": "SEED_CALLABLE",
        "STATUS_HOST": "STATUS_HOST",
        "STATUS_PORT": "STATUS_PORT",
        "TARGET": "MIGRATION_TARGET",
        "TRAFFIC_TIMEOUT": "MIGRATE_TRAFFIC_TIMEOUT",
        "WAIT_TIMEOUT": "DB_WAIT_TIMEOUT",
        "WORKERS": "WEB_CONCURRENCY",
        "X": "ALEMBIC_X",
    },
    creating="in dev and test {migrate} and {start} create it",
    without_seed="start with SEED=false",
    check_all="check",
)
"""The names of MoriAI's tasks and settings, for the advice of alembic_boot."""

use(PROGRAM)
