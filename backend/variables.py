"""MoriAI's variables: the use, the default and the purpose of each, and the setting of the tool."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from alembic_boot.own_variables import VARIABLES as OF_THE_TOOL


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


class Variable(NamedTuple):
    """A variable."""

    default: str
    """As people write it."""
    purpose: str
    setting: str = ""
    """The setting of alembic_boot that it sets, such as TARGET."""


def _like(setting: str) -> Variable:
    """Return a variable with the default and the purpose of a setting of alembic_boot."""
    return Variable(*OF_THE_TOOL[f"ALEMBIC_BOOT_{setting}"], setting)


VARIABLES_OF: Mapping[Use, Mapping[str, Variable]] = {
    Use.DATABASE: {
        "APP_ENV": Variable("dev", "dev, test or prod"),
        "DATABASE_URL": Variable(
            "embedded PostgreSQL under `.data/`", "where the application connects"
        ),
        "POSTGRES_HOST": Variable("", "if DATABASE_URL is not set: the server; several as `h1,h2`"),
        "POSTGRES_PORT": Variable("5432", "its port; of several servers `p1,p2`"),
        "POSTGRES_USER": Variable("moriai_user", "the role"),
        "POSTGRES_PASSWORD": Variable("moriai_password", "its password (no default in prod)"),
        "POSTGRES_PASSWORD_FILE": Variable(
            "", "a file that holds the password; read again for each login"
        ),
        "POSTGRES_DB": Variable("moriai_db", "the database"),
        "MIGRATION_DATABASE_URL": Variable(*OF_THE_TOOL["MIGRATION_DATABASE_URL"]),
    },
    Use.SCRATCH: {"SCRATCH_DATABASE_URL": _like("SCRATCH_DATABASE_URL")},
    Use.WAIT: {"DB_WAIT_TIMEOUT": _like("WAIT_TIMEOUT")},
    Use.LOCK: {
        "MIGRATE_LOCK_TIMEOUT": _like("LOCK_TIMEOUT"),
        "MIGRATE_TRAFFIC_TIMEOUT": _like("TRAFFIC_TIMEOUT"),
    },
    Use.TARGET: {
        "MIGRATION_TARGET": _like("TARGET"),
        "MIGRATION_ROLLBACK": Variable(
            "false", "go down to the parent of head, or to MIGRATION_TARGET", "ROLLBACK"
        ),
    },
    Use.START: {
        "MIGRATE_ON_FAILURE": Variable(
            "dev: continue; else exit",
            "what `start` does when the schema cannot be brought to its target",
            "ON_FAILURE",
        ),
        "SEED": Variable("prod: false; else true", "whether `start` inserts the development data"),
    },
    Use.SERVE: {
        "EVENTS_DATABASE_URL": Variable("DATABASE_URL", "a direct connection to hear events by"),
        "BACKEND_HOST": _like("HOST"),
        "BACKEND_PORT": Variable("8000", "the port to serve on; 0 takes any free one", "PORT"),
        "RELOAD": _like("RELOAD"),
        "WEB_CONCURRENCY": _like("WORKERS"),
        "DRAIN_DELAY": _like("DRAIN_DELAY"),
        "STATUS_HOST": Variable("127.0.0.1", "the address of STATUS_PORT", "STATUS_HOST"),
        "STATUS_PORT": Variable(
            "", "a port for the status page alone, in prod as well", "STATUS_PORT"
        ),
        "API_DOCS": Variable("prod: false; else true", "serve `/docs` and `/openapi.json`"),
        "MAX_BODY_BYTES": Variable("1048576", "the largest body of a request"),
        "SIGN_IN_LIMITS": Variable(
            "true", "whether too many attempts to sign in or register are refused"
        ),
        "FORWARDED_ALLOW_IPS": _like("FORWARDED_ALLOW_IPS"),
        "JWT_SECRET": Variable(
            "made and kept under `.data/`", "signs the tokens; in prod it must be set to serve"
        ),
        "JWT_SECRET_FILE": Variable("", "a file that holds it; read once, at the start"),
        "ASGI_APP": Variable("backend.main:app", "the application to serve", "APP"),
    },
    Use.LOG: {"LOG_LEVEL": _like("LOG_LEVEL"), "LOG_FORMAT": _like("LOG_FORMAT")},
    Use.HISTORY: {
        "ALEMBIC_CONFIG": Variable(
            "alembic.ini", "the Alembic project to boot: its alembic.ini or pyproject.toml"
        ),
        "ALEMBIC_NAME": _like("NAME"),
        "ALEMBIC_X": _like("X"),
    },
    Use.SEED: {
        "SEED_CALLABLE": Variable(
            "backend.seeds:seed", "what inserts the development data", "SEED"
        ),
    },
}

VARIABLES: Mapping[str, Variable] = {
    name: it for of_one_use in VARIABLES_OF.values() for name, it in of_one_use.items()
}
"""All of them by name. docs/reference.md is made from this."""
