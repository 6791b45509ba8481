"""What boot tells the application that it serves: through the environment, which reaches
workers and reloads as well.
"""

import os

from backend.boot.postgres.urls import DatabaseUrl

_DATABASE_URL = "DATABASE_URL"
_BOOT_FAILURE = "BOOT_FAILURE"


def hand_over_database(url: DatabaseUrl) -> None:
    """Let the application, and an env.py that reads DATABASE_URL itself, find the database."""
    os.environ[_DATABASE_URL] = url.raw


def hand_over_failure(sentence: str) -> None:
    """Let the application's readiness say why the schema is not where it should be."""
    os.environ[_BOOT_FAILURE] = sentence


def boot_failure() -> str | None:
    """Return why boot could not bring the schema to its target, if it went on all the same."""
    return os.environ.get(_BOOT_FAILURE)
