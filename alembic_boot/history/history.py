"""The revisions on disk as a graph: plain data, and queries on it without side effects."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from alembic_boot.commands import as_typed, setting
from alembic_boot.errors import ConfigurationError, SeveralHeadsError

_RELATIVE = re.compile(r"[+-]\d+$")
_BLANK_LINES = re.compile(r"\n\s*\n")

_PLAIN_ID = re.compile(r"\w+", re.ASCII)
"""Ids that Alembic accepts as they are; it refuses some others."""


class Revision(NamedTuple):
    """One migration file. `parents` are its down_revisions, `depends_on` its other dependencies."""

    id: str
    parents: tuple[str, ...]
    title: str
    depends_on: tuple[str, ...] = ()
    branch_labels: tuple[str, ...] = ()
    phase: str | None = None
    """The phase in the file: `expand` or `contract`, or none."""
    file: str | None = None
    """The file's path; as text, because a Path for each of thousands of revisions takes 20 ms."""
    file_sha256: str | None = None
    """SHA-256 of the file's bytes, in hexadecimal."""

    @property
    def path(self) -> Path | None:
        """Return the file."""
        return None if self.file is None else Path(self.file)

    def source(self) -> bytes | None:
        """Return the source; None if the file is compiled, or there is none. Raises OSError."""
        return Path(self.file).read_bytes() if self.file and self.file.endswith(".py") else None

    @property
    def is_expand(self) -> bool:
        """Return whether older code still works on the new schema; only if the revision says so."""
        return self.phase == "expand"

    @property
    def label(self) -> str:
        """Return the number with the title, for people."""
        return self.id if self.title == self.id else f"{self.id} {self.title}"


def title(doc: str | None, revision: str) -> str:
    """Return the first paragraph of a docstring on one line; without one, the revision's id."""
    first, *_ = _BLANK_LINES.split((doc or "").strip(), maxsplit=1)
    return " ".join((first or revision).split()).rstrip(".")


@dataclass(frozen=True)
class Target:
    """The goal for the schema: `name` in the user's words, `revisions` that it stands for.

    No revisions at all is `base`.
    """

    name: str
    revisions: tuple[str, ...]


def reached(start: Iterable[str], following: Callable[[str], Iterable[str]]) -> frozenset[str]:
    """Return what can be reached from these names, with themselves."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        if (current := waiting.pop()) not in found:
            found.add(current)
            waiting += following(current)
    return frozenset(found)


@dataclass(frozen=True)
class History:
    """All revisions, by id. Every parent and dependency is also in it; there is no cycle."""

    revisions: Mapping[str, Revision]

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """Return the revisions that have no child, sorted."""
        parents = {parent for revision in self.revisions.values() for parent in revision.parents}
        return tuple(sorted(set(self.revisions) - parents))

    @property
    def has_phases(self) -> bool:
        """Return whether a revision says its phase: only then is the project asked for phases."""
        return any(it.phase for it in self.revisions.values())

    @cached_property
    def _order(self) -> tuple[str, ...]:
        graph = {id_: sorted({*self._below(id_)}) for id_ in sorted(self.revisions)}
        return tuple(TopologicalSorter(graph).static_order())

    def _below(self, id_: str) -> tuple[str, ...]:
        return self.revisions[id_].parents + self.revisions[id_].depends_on

    def label(self, revision: str) -> str:
        """Return a revision's number with its title; for an unknown one only the number."""
        known = self.revisions.get(revision)
        return revision if known is None else known.label

    def closure(self, ids: Iterable[str]) -> frozenset[str]:
        """Return these revisions with all that they depend on, directly or indirectly."""
        return reached(ids, self._below)

    def lineage(self, ids: Iterable[str]) -> frozenset[str]:
        """Return these revisions and their ancestors, without their other dependencies."""
        return reached(ids, lambda id_: self.revisions[id_].parents)

    def whole(self, ids: Iterable[str]) -> frozenset[str]:
        """Return those of the revisions that depend on no other revision than these."""
        found: set[str] = set()
        for it in self.in_order(ids):
            if found.issuperset(self._below(it)):
                found.add(it)
        return frozenset(found)

    def tips(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Return those of the revisions that no other one of them depends on, sorted."""
        wanted = set(ids)
        below = self.closure(it for id_ in wanted for it in self._below(id_))
        return tuple(sorted(wanted - below))

    def in_order(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Return these revisions sorted: each comes after its ancestors and dependencies."""
        wanted = set(ids)
        return tuple(revision for revision in self._order if revision in wanted) if wanted else ()


def place(files: Iterable[Revision]) -> History | None:
    """Return the history of revisions as their files describe them; None if only Alembic can.

    Alembic resolves labels and dependencies. It refuses invalid ids, duplicate ids, missing
    parents, and cycles. A history of thousands of revisions seldom has any of these, and Alembic's
    own graph takes twenty times as long.
    """
    revisions: dict[str, Revision] = {}
    for it in files:
        if (
            it.depends_on
            or it.branch_labels
            or it.id in revisions
            or not _PLAIN_ID.fullmatch(it.id)
        ):
            return None
        revisions[it.id] = it
    parents = {id_: revision.parents for id_, revision in revisions.items()}
    try:
        TopologicalSorter(parents).prepare()
    except CycleError:
        return None
    is_whole = all(it in revisions for each in parents.values() for it in each)
    return History(revisions) if is_whole else None


def resolve_target(history: History, text: str | None, *, rollback: bool) -> Target:
    """Return the revisions that a target stands for in this history.

    `text` is a revision, an unambiguous beginning of one, several of these with commas between
    them, `LABEL@head`, `head`, `heads` or `base`. None is `head`, or with `rollback` the parent of
    head. So every restart means the same revision, and never goes one step further. Raises
    ConfigurationError, and SeveralHeadsError if `head` is asked for and there is not exactly one.
    """
    if text is None:
        return _parent_of_head(history) if rollback else _single_head(history)
    if _RELATIVE.search(text):
        raise ConfigurationError(
            f"The target {text!r} is relative, and would mean something else at every start.",
            "Name a revision, head or heads.",
        )
    match text:
        case "head":
            return _single_head(history)
        case "heads":
            return Target("heads", history.heads)
        case "base":
            return Target("base", ())
    if text.endswith("@head"):
        return _head_of_branch(history, text)
    if "," in text:
        named = [_revision(history, part.strip()) for part in text.split(",")]
        return Target(text, history.tips(named))
    found = _revision(history, text)
    return Target(found, (found,))


def _single_head(history: History) -> Target:
    if len(history.heads) > 1:
        join = merge_command(history)
        advice = f"Join them with `{as_typed(join)}`, or set {setting('TARGET')}=heads."
        raise SeveralHeadsError(history.heads, advice, join)
    return Target(history.heads[0], history.heads)


def merge_command(history: History) -> str:
    """Return the command that joins the heads of a history, for `as_typed`."""
    message = shlex.quote(f"Join {' and '.join(history.heads)}")
    return f"merge --message {message}"


def _parent_of_head(history: History) -> Target:
    [head] = _single_head(history).revisions
    parents = history.revisions[head].parents
    if len(parents) == 1:
        return Target(parents[0], parents)
    raise ConfigurationError(
        f"Rolling back means the parent of head, and {head} has {len(parents)} parents.",
        f"Name the revision to go down to: {setting('TARGET')}, or --target.",
    )


def _head_of_branch(history: History, text: str) -> Target:
    label = text.removesuffix("@head")
    # A branch is made of parents; a mere dependency lies on another branch.
    heads = [
        head
        for head in history.heads
        if any(label in history.revisions[it].branch_labels for it in history.lineage([head]))
    ]
    if len(heads) == 1:
        return Target(heads[0], tuple(heads))
    raise ConfigurationError(
        f"The target {text!r} means {len(heads)} revisions.", "Name a revision, head or heads."
    )


def _revision(history: History, text: str) -> str:
    """Return the revision of this id, or the only one whose id begins like this."""
    matches = [text] if text in history.revisions else []
    matches = matches or sorted(it for it in history.revisions if it.startswith(text))
    if len(matches) == 1:
        return matches[0]
    meaning = f"could be {', '.join(matches)}" if matches else "is not a revision of this history"
    heads = ", ".join(history.heads)
    raise ConfigurationError(
        f"The target {text!r} {meaning}.", f"Name a revision, head (which is {heads}) or heads."
    )
