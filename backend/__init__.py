"""MoriAI's backend: the storybook service, the first user of alembic_boot."""

from alembic_boot.commands import Program, use

__version__ = "0.1.0"

use(
    Program(
        "inv",
        settings={
            "APP": "ASGI_APP",
            "HOST": "BACKEND_HOST",
            "LOCK_TIMEOUT": "MIGRATE_LOCK_TIMEOUT",
            "LOG_FORMAT": "LOG_FORMAT",
            "NAME": "ALEMBIC_NAME",
            "PORT": "BACKEND_PORT",
            "ROLLBACK": "MIGRATION_ROLLBACK",
            "SCRATCH_DATABASE_URL": "SCRATCH_DATABASE_URL",
            "SEED": "SEED_CALLABLE",
            "STATUS_HOST": "STATUS_HOST",
            "STATUS_PORT": "STATUS_PORT",
            "TARGET": "MIGRATION_TARGET",
            "TRAFFIC_TIMEOUT": "MIGRATE_TRAFFIC_TIMEOUT",
            "WAIT_TIMEOUT": "DB_WAIT_TIMEOUT",
        },
        creating="in dev and test {migrate} and {start} create it",
        without_seed="start with SEED=false",
        check_all="check",
    )
)
