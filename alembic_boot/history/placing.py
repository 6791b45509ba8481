"""Build the history from headers, if none of them needs Alembic to resolve it."""

import re
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from alembic_boot.history.history import History, Revision
from alembic_boot.history.reading import HeadedFile

_PLAIN_ID = re.compile(r"\w+", re.ASCII)
"""Ids that Alembic accepts as they are; it refuses some others."""


def place(files: Iterable[HeadedFile]) -> History | None:
    """Return the history of these files; None if only Alembic can build it.

    Alembic resolves labels and dependencies. It refuses invalid ids, duplicate ids, missing
    parents, and cycles. A history of thousands of revisions seldom has any of these, and Alembic's
    own graph takes twenty times as long.
    """
    revisions: dict[str, Revision] = {}
    for path, header, sha256 in files:
        id_ = header.revision
        if (
            header.depends_on
            or header.branch_labels
            or id_ in revisions
            or not _PLAIN_ID.fullmatch(id_)
        ):
            return None
        parents = header.down_revision or ()
        revisions[id_] = Revision(
            id_,
            (parents,) if isinstance(parents, str) else parents,
            title(header.doc, id_),
            phase=header.phase,
            file=path,
            file_sha256=sha256,
        )
    return History(revisions) if _is_sound(revisions) else None


def title(doc: str | None, revision: str) -> str:
    """Return the first paragraph of a docstring on one line; without one, the revision's id."""
    first, _, _ = (doc or "").strip().partition("\n\n")
    return " ".join((first or revision).split()).rstrip(".")


def _is_sound(revisions: dict[str, Revision]) -> bool:
    """Return whether all parents exist, and no revision is its own ancestor."""
    parents = {id_: revision.parents for id_, revision in revisions.items()}
    try:
        TopologicalSorter(parents).prepare()
    except CycleError:
        return False
    return all(it in revisions for each in parents.values() for it in each)
