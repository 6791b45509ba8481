"""Facts that boot passes to the application, in environment variables.

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
    """The content of the version table when the schema is at this release's target."""

    rows: tuple[str, ...]
    """Sorted."""
    target: Target
    heads: tuple[str, ...]
    digest: str
    """The digest of the journal's rows about the applied files."""

    def is_still_true_of(self, facts: DatabaseFacts) -> bool:
        """Return whether the database has the same revisions, from the same files.

        A journal that cannot be read is ignored.
        """
        is_same = facts.digest in ("", self.digest)
        return facts.current == self.rows and is_same


def hand_over_database(url: DatabaseUrl) -> None:
    """Set DATABASE_URL for the application, and for an env.py that reads it itself."""
    os.environ[_DATABASE_URL] = url.raw


def hand_over_failure(sentence: str) -> None:
    """Pass on why the schema is not at its target, in words without names."""
    os.environ[_BOOT_FAILURE] = sentence


def boot_failure() -> str | None:
    """Return why boot could not bring the schema to its target, if it continued all the same."""
    return os.environ.get(_BOOT_FAILURE)


def hand_over_differences(sentence: str | None, compared_at: Sequence[str] = ()) -> None:
    """Pass on the differences between the models and the schema, for readiness.

    `compared_at` are the revisions that the schema was at.
    """
    if sentence is None:
        os.environ.pop(_DIFFERENCES, None)
    else:
        os.environ[_DIFFERENCES] = sentence
        os.environ[_COMPARED_AT] = json.dumps(list(compared_at))


def boot_differences() -> str | None:
    """Return the differences between the models and the schema; None if none are known."""
    return os.environ.get(_DIFFERENCES)


def compared_at() -> tuple[str, ...]:
    """Return the revisions that the schema was at when the models were compared with it."""
    return tuple(json.loads(os.environ.get(_COMPARED_AT, "[]")))


def hand_over_stages(seconds: Mapping[str, float]) -> None:
    """Pass on the duration of each stage of the boot."""
    os.environ[_BOOT_STAGES] = json.dumps(seconds)


def boot_stages() -> dict[str, float]:
    """Return the seconds of each stage of the boot; none without a boot."""
    found: dict[str, float] = json.loads(os.environ.get(_BOOT_STAGES, "{}"))
    return found


def hand_over_version_table(table: VersionTable) -> None:
    """Pass on the version table of env.py, for readiness."""
    os.environ[_VERSION_TABLE] = json.dumps({"name": table.name, "schema": table.schema})


def version_table() -> VersionTable | None:
    """Return the version table of env.py; None if env.py was not asked."""
    text = os.environ.get(_VERSION_TABLE)
    return VersionTable(**json.loads(text)) if text else None


def hand_over_reached(inspection: Inspection) -> None:
    """Pass on the target as it was reached, so that the history need not be read again."""
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
    """Return the content of the version table at the target; None if the boot did not reach it."""
    text = os.environ.get(_REACHED)
    if not text:
        return None
    rows, [name, revisions], heads, digest = json.loads(text)
    return Reached(tuple(rows), Target(name, tuple(revisions)), tuple(heads), digest)


def forget_boot() -> None:
    """Remove the facts of an earlier boot: the next boot sets them again."""
    for name in (_BOOT_FAILURE, _BOOT_STAGES, _VERSION_TABLE, _REACHED, _DIFFERENCES, _COMPARED_AT):
        os.environ.pop(name, None)
