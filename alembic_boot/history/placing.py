"""Place revisions in their history by their headers, if nothing in them has to be resolved."""

import re
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from alembic_boot.history.history import History, Revision
from alembic_boot.history.reading import HeadedFile

_PLAIN_ID = re.compile(r"\w+", re.ASCII)
"""Ids that Alembic takes as they are; it refuses some others."""


def place(files: Iterable[HeadedFile]) -> History | None:
    """Return the history that these files make; None if that is for Alembic to say.

    Alembic resolves labels and dependencies, and refuses ids that it cannot take, ids that are
    there twice, parents that are missing, and cycles. A history of thousands of revisions seldom
    has any of these, and Alembic's own graph takes twenty times as long.
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
    """Return whether all parents are there, and none is above its own child."""
    parents = {id_: revision.parents for id_, revision in revisions.items()}
    try:
        TopologicalSorter(parents).prepare()
    except CycleError:
        return False
    return all(it in revisions for each in parents.values() for it in each)
