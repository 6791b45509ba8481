"""What boot tells the application that it serves: through the environment, which reaches
workers and reloads as well.
"""

import json
import os
from collections.abc import Mapping

from backend.boot.postgres.urls import DatabaseUrl

_DATABASE_URL = "DATABASE_URL"
_BOOT_FAILURE = "BOOT_FAILURE"
_BOOT_STAGES = "BOOT_STAGES"


def hand_over_database(url: DatabaseUrl) -> None:
    """Let the application, and an env.py that reads DATABASE_URL itself, find the database."""
    os.environ[_DATABASE_URL] = url.raw


def hand_over_failure(sentence: str) -> None:
    """Let the application's readiness say why the schema is not where it should be."""
    os.environ[_BOOT_FAILURE] = sentence


def boot_failure() -> str | None:
    """Return why boot could not bring the schema to its target, if it went on all the same."""
    return os.environ.get(_BOOT_FAILURE)


def hand_over_stages(seconds: Mapping[str, float]) -> None:
    """Let the application say how long each stage before it took."""
    os.environ[_BOOT_STAGES] = json.dumps(seconds)


def boot_stages() -> dict[str, float]:
    """Return the seconds of each stage of the boot; none where nothing was booted."""
    found: dict[str, float] = json.loads(os.environ.get(_BOOT_STAGES, "{}"))
    return found
