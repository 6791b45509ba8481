"""The revisions on disk as a graph: plain data, and questions about it without side effects."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from alembic_boot.commands import as_typed
from alembic_boot.errors import ConfigurationError, HistoryBrokenError

_RELATIVE = re.compile(r"[+-]\d+$")


class Revision(NamedTuple):
    """One migration file. `parents` are what it revises, `depends_on` what it needs besides."""

    id: str
    parents: tuple[str, ...]
    title: str
    depends_on: tuple[str, ...] = ()
    branch_labels: tuple[str, ...] = ()
    phase: str | None = None
    """What the file says itself: `expand` or `contract`, or nothing."""
    file: str | None = None
    """The file's path."""
    file_sha256: str | None = None
    """Of the file's bytes, in hexadecimal."""

    @property
    def path(self) -> Path | None:
        """The file."""
        # Made when it is asked for: a Path for each of thousands of revisions takes 20 ms.
        return None if self.file is None else Path(self.file)

    @property
    def is_expand(self) -> bool:
        """Whether the code released before still works on what it makes; only if it says so."""
        return self.phase == "expand"

    @property
    def label(self) -> str:
        """The number with the title, as people want to see it."""
        return self.id if self.title == self.id else f"{self.id} {self.title}"


@dataclass(frozen=True)
class Target:
    """Where the schema should be: `name` as people say it, `revisions` that it stands for.

    No revisions at all is `base`.
    """

    name: str
    revisions: tuple[str, ...]


@dataclass(frozen=True)
class History:
    """All revisions, by id. Every parent and dependency is itself in it; there is no cycle."""

    revisions: Mapping[str, Revision]

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The revisions that no other one revises, sorted."""
        parents = {parent for revision in self.revisions.values() for parent in revision.parents}
        return tuple(sorted(set(self.revisions) - parents))

    @cached_property
    def _order(self) -> tuple[str, ...]:
        graph = {
            revision.id: sorted({*revision.parents, *revision.depends_on})
            for revision in sorted(self.revisions.values(), key=lambda revision: revision.id)
        }
        return tuple(TopologicalSorter(graph).static_order())

    def label(self, revision: str) -> str:
        """Return a revision's number with its title; of an unknown one the number alone."""
        known = self.revisions.get(revision)
        return revision if known is None else known.label

    def closure(self, ids: Iterable[str]) -> frozenset[str]:
        """Return these revisions and all that they stand on."""
        found: set[str] = set()
        waiting = list(ids)
        while waiting:
            if (current := waiting.pop()) not in found:
                found.add(current)
                revision = self.revisions[current]
                waiting += [*revision.parents, *revision.depends_on]
        return frozenset(found)

    def lineage(self, ids: Iterable[str]) -> frozenset[str]:
        """Return these revisions and their ancestors, not counting what they depend on besides."""
        found: set[str] = set()
        waiting = list(ids)
        while waiting:
            if (current := waiting.pop()) not in found:
                found.add(current)
                waiting += self.revisions[current].parents
        return frozenset(found)

    def tips(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Return those of the revisions that no other one of them stands on, sorted."""
        wanted = set(ids)
        below = {
            it
            for name in wanted
            for it in (*self.revisions[name].parents, *self.revisions[name].depends_on)
        }
        return tuple(sorted(wanted - self.closure(below)))

    def in_order(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Return these revisions sorted so that each comes after what it stands on."""
        wanted = set(ids)
        return tuple(revision for revision in self._order if revision in wanted) if wanted else ()


def resolve_target(history: History, text: str | None, *, rollback: bool) -> Target:
    """Return what a target stands for in this history.

    `text` is a revision, an unambiguous beginning of one, several of these with commas between
    them, `LABEL@head`, `head`, `heads` or `base`. None is `head`, or with `rollback` the parent of
    head, so that every restart means the same revision and never one step further. Raises
    ConfigurationError, and HistoryBrokenError if `head` is asked for and there is not just one.
    """
    if text is None:
        return _parent_of_head(history) if rollback else _single_head(history)
    if _RELATIVE.search(text):
        raise ConfigurationError(
            f"The target {text!r} is relative, and would mean something else at every start.",
            "Name a revision, head or heads.",
        )
    if text == "head":
        return _single_head(history)
    if text == "heads":
        return Target("heads", history.heads)
    if text == "base":
        return Target("base", ())
    if text.endswith("@head"):
        return _head_of_branch(history, text)
    if "," in text:
        named = [_revision(history, part.strip()) for part in text.split(",")]
        return Target(text, history.tips(name for it in named for name in it.revisions))
    return _revision(history, text)


def _single_head(history: History) -> Target:
    if len(history.heads) > 1:
        raise HistoryBrokenError(
            f"The history has {len(history.heads)} heads: {', '.join(history.heads)}.",
            f"Join them with `{merge_command(history)}`, or set MIGRATION_TARGET=heads.",
        )
    return Target(history.heads[0], history.heads)


def merge_command(history: History) -> str:
    """Return the command that joins the heads of a history, as it can be typed."""
    title = shlex.quote(f"Join {' and '.join(history.heads)}")
    return as_typed(f"inv merge --message {title}")


def _parent_of_head(history: History) -> Target:
    [head] = _single_head(history).revisions
    parents = history.revisions[head].parents
    if len(parents) == 1:
        return Target(parents[0], parents)
    raise ConfigurationError(
        f"Rolling back means the parent of head, and {head} has {len(parents)} parents.",
        "Name the revision to go down to: MIGRATION_TARGET, or --target.",
    )


def _head_of_branch(history: History, text: str) -> Target:
    label = text.removesuffix("@head")
    heads = [head for head in history.heads if _is_labelled(history, head, label)]
    if len(heads) == 1:
        return Target(heads[0], tuple(heads))
    raise ConfigurationError(
        f"The target {text!r} means {len(heads)} revisions.", "Name a revision, head or heads."
    )


def _is_labelled(history: History, revision: str, label: str) -> bool:
    # A branch is made of parents; what is only depended on lies on another one.
    found: set[str] = set()
    waiting = [revision]
    while waiting:
        if (current := waiting.pop()) not in found:
            found.add(current)
            waiting += history.revisions[current].parents
    return any(label in history.revisions[id_].branch_labels for id_ in found)


def _revision(history: History, text: str) -> Target:
    matches = [text] if text in history.revisions else _beginning_with(history, text)
    if len(matches) == 1:
        return Target(matches[0], (matches[0],))
    meaning = f"could be {', '.join(matches)}" if matches else "is no revision of this history"
    heads = ", ".join(history.heads)
    raise ConfigurationError(
        f"The target {text!r} {meaning}.", f"Name a revision, head (which is {heads}) or heads."
    )


def _beginning_with(history: History, text: str) -> list[str]:
    return sorted(revision for revision in history.revisions if revision.startswith(text))
