"""Facts that boot hands over to the application, in environment variables.

Workers and reloads inherit them as well.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.history.history import Target
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.state.inspection import DatabaseFacts, Inspection, SchemaState

_DATABASE_URL = "DATABASE_URL"
_BOOT_FAILURE = "BOOT_FAILURE"
_BOOT_STAGES = "BOOT_STAGES"
_VERSION_TABLE = "BOOT_VERSION_TABLE"
_REACHED = "BOOT_REACHED"
_DIFFERENCES = "BOOT_DIFFERENCES"
_COMPARED_AT = "BOOT_COMPARED_AT"


@dataclass(frozen=True)
class Reached:
    """What the version table holds when the schema is at this release's target."""

    rows: tuple[str, ...]
    """Sorted."""
    target: Target
    heads: tuple[str, ...]
    digest: str
    """Of what the journal said of the applied files."""

    def is_still_true_of(self, facts: DatabaseFacts) -> bool:
        """Return whether the database has the same revisions, made by the same files.

        A journal that cannot be read says nothing.
        """
        is_same = facts.digest in ("", self.digest)
        return facts.current == self.rows and is_same


def hand_over_database(url: DatabaseUrl) -> None:
    """Let the application, and an env.py that reads DATABASE_URL itself, find the database."""
    os.environ[_DATABASE_URL] = url.raw


def hand_over_failure(sentence: str) -> None:
    """Let readiness say why the schema is not where it should be, in words without names."""
    os.environ[_BOOT_FAILURE] = sentence


def boot_failure() -> str | None:
    """Return why boot could not bring the schema to its target, if it went on all the same."""
    return os.environ.get(_BOOT_FAILURE)


def hand_over_differences(sentence: str | None, compared_at: Sequence[str] = ()) -> None:
    """Let the application's readiness say in what the models and the schema differ, if they do.

    `compared_at` are the revisions that the schema was at.
    """
    if sentence is None:
        os.environ.pop(_DIFFERENCES, None)
    else:
        os.environ[_DIFFERENCES] = sentence
        os.environ[_COMPARED_AT] = json.dumps(list(compared_at))


def boot_differences() -> str | None:
    """Return in what the models and the schema differ; None as far as nothing is known of it."""
    return os.environ.get(_DIFFERENCES)


def compared_at() -> tuple[str, ...]:
    """Return the revisions that the schema was at when the models were compared with it."""
    return tuple(json.loads(os.environ.get(_COMPARED_AT, "[]")))


def hand_over_stages(seconds: Mapping[str, float]) -> None:
    """Let the application say how long each stage before it took."""
    os.environ[_BOOT_STAGES] = json.dumps(seconds)


def boot_stages() -> dict[str, float]:
    """Return the seconds of each stage of the boot; none where nothing was booted."""
    found: dict[str, float] = json.loads(os.environ.get(_BOOT_STAGES, "{}"))
    return found


def hand_over_version_table(table: VersionTable) -> None:
    """Let the application's readiness look where env.py keeps the revision."""
    os.environ[_VERSION_TABLE] = json.dumps({"name": table.name, "schema": table.schema})


def version_table() -> VersionTable | None:
    """Return where env.py keeps the revision; None if it was not asked."""
    text = os.environ.get(_VERSION_TABLE)
    return VersionTable(**json.loads(text)) if text else None


def hand_over_reached(inspection: Inspection) -> None:
    """Let the application know its target when it sees it, without reading the history again."""
    if inspection.state is SchemaState.CURRENT:
        target = inspection.target
        os.environ[_REACHED] = json.dumps(
            [
                inspection.current,
                [target.name, target.revisions],
                inspection.heads,
                inspection.digest,
            ]
        )


def reached() -> Reached | None:
    """Return what the version table holds at the target; None if the boot did not reach it."""
    text = os.environ.get(_REACHED)
    if not text:
        return None
    rows, [name, revisions], heads, digest = json.loads(text)
    return Reached(tuple(rows), Target(name, tuple(revisions)), tuple(heads), digest)


def forget_boot() -> None:
    """Take back what an earlier boot has handed over: the next one says it anew."""
    for name in (_BOOT_FAILURE, _BOOT_STAGES, _VERSION_TABLE, _REACHED, _DIFFERENCES, _COMPARED_AT):
        os.environ.pop(name, None)
