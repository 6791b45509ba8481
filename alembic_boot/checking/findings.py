"""The findings of a check as data, and as people, programs and GitHub read them."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from alembic_boot.commands import as_typed, program
from alembic_boot.errors import HistoryBrokenError
from alembic_boot.history.history import Revision
from alembic_boot.history.source import line_of
from alembic_boot.output.masking import mask

_ADVICE = "Fix the revisions, or the models, and check again."

_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_ESCAPES_IN_PROPERTIES = {**_ESCAPES, ":": "%3A", ",": "%2C"}


class Kind(StrEnum):
    """The kinds of faults."""

    UPGRADE = "upgrade"
    """The revision cannot be applied."""
    DOWNGRADE = "downgrade"
    """The revision cannot be taken back, leaves something behind, or comes back different."""
    PHASE = "phase"
    """The revision's phase is not what it does."""
    MODELS = "models"
    """The history makes another schema than the models describe."""
    VERSION_TABLE = "version_table"
    """The version table has no room for an id."""


@dataclass(frozen=True)
class Finding:
    """One fault of a history."""

    kind: Kind
    text: str
    """A sentence without its full stop; it names the revision."""
    revision: str | None = None
    file: str | None = None
    line: int | None = None


def finding(kind: Kind, text: str, revision: Revision | None = None) -> Finding:
    """Return a fault, at the line of the revision's file that it concerns."""
    text = mask(text)
    if revision is None:
        return Finding(kind, text)
    source = revision.source()
    name = {Kind.DOWNGRADE: "downgrade", Kind.PHASE: "phase"}.get(kind, "upgrade")
    line = None if source is None else line_of(source, name) or line_of(source, "upgrade")
    return Finding(kind, text, revision.id, revision.file, line)


@dataclass(frozen=True)
class Checked:
    """The result of a check."""

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    """The revisions that went up, down and up, in order."""
    total: int
    """The number of revisions in the history; the others only went up."""
    has_models: bool
    """Whether env.py names models to compare with."""

    def __str__(self) -> str:
        """Return one sentence about a sound history."""
        models = ", and meets the models" if self.has_models else ""
        if (count := len(self.checked)) == self.total:
            return f"The history is sound: every revision goes up, down and up{models}."
        return (
            f"The history is sound as far as it was checked: it goes up{models}; {count} of "
            f"{self.total} revisions went down and up again. To check all, run "
            f"`{as_typed(program().check_all)}`."
        )

    def refuse(self) -> None:
        """Raise HistoryBrokenError if there are findings."""
        if self.findings:
            count = len(self.findings)
            checks = "1 check" if count == 1 else f"{count} checks"
            raise HistoryBrokenError(f"The history fails {checks}.", _ADVICE)

    def as_json(self) -> dict[str, Any]:
        """Return the result for programs; the keys are a contract."""
        return {
            "findings": [asdict(it) for it in self.findings],
            "checked": list(self.checked),
            "total": self.total,
            "has_models": self.has_models,
        }

    def lines(self, form: str) -> Iterator[str]:
        """Give what a command prints: `json` or `github`, with the paths as they are seen there."""
        if form == "json":
            yield json.dumps(self.as_json())
        elif not self.findings:
            yield f"::notice title=alembic-boot::{_escaped(str(self), _ESCAPES)}"
        else:
            yield from self.as_github(Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()))

    def as_github(self, root: Path) -> Iterator[str]:
        """Give a workflow command for each finding; files are shown from `root`."""
        for it in self.findings:
            properties = {"title": f"alembic-boot: {it.kind}"}
            if it.file is not None:
                path = Path(it.file)
                inside = path.is_relative_to(root)
                properties["file"] = str(path.relative_to(root) if inside else path)
                properties["line"] = str(it.line or 1)
            shown = ",".join(
                f"{name}={_escaped(value, _ESCAPES_IN_PROPERTIES)}"
                for name, value in properties.items()
            )
            yield f"::error {shown}::{_escaped(it.text, _ESCAPES)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(it, it) for it in text)
