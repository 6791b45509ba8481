"""Compare the journal of a database with the files that have its ids now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from operator import attrgetter
from pathlib import Path

from alembic_boot.history.checksum import code_checksum, file_sha256, upgrade_checksum
from alembic_boot.history.history import History, Revision
from alembic_boot.history.numbering import is_drawn
from alembic_boot.state.journal import joined
from alembic_boot.state.journal_rows import Applied, Unfinished


@dataclass(frozen=True)
class Replaced:
    """An applied revision whose id now belongs to different code on disk."""

    entry: Applied
    file: str
    """The file's name."""
    parents: tuple[str, ...]
    """The parents in the file."""
    is_same_upgrade: bool
    """Whether only the parents differ."""
    is_same_revision: bool
    """Whether the id proves that the file is the applied one, edited since."""

    @property
    def is_moved(self) -> bool:
        """Return whether the file has other parents than the applied revision."""
        return set(self.parents) != set(self.entry.parents)


def agreed_digest(current: Iterable[str], history: History) -> str | None:
    """Return the digest of a journal in which each applied revision equals its present file.

    `current` are the rows of the version table. If the journal has this digest, nothing was edited,
    and nothing is unknown. Return None if a row is unknown.
    """
    rows = set(current)
    if not rows <= history.revisions.keys():
        return None
    return digest_of(history.revisions[id_] for id_ in history.closure(rows))


def digest_of(revisions: Iterable[Revision]) -> str:
    """Return a hash of ids, files and parents, in hexadecimal, as the journal's query does."""
    lines = [
        f"{it.id} {it.file_sha256 or '-'} {joined(it.parents) or '-'}"
        for it in sorted(revisions, key=attrgetter("id"))
    ]
    return sha256("\n".join(lines).encode()).hexdigest() if lines else ""


def replaced_revisions(
    journal: Iterable[Applied], applied: Iterable[str], history: History
) -> tuple[Replaced, ...]:
    """Return the applied revisions that differ from the files on disk, in order.

    Comments, docstrings, formatting, the phase and the downgrade may change. If the bytes are the
    same, nothing is parsed. A revision without a row in the journal is never among them.
    """
    entries = {entry.revision: entry for entry in journal}
    known = history.in_order(entries.keys() & frozenset(applied))
    return tuple(it for id_ in known for it in _replaced(entries[id_], history.revisions[id_]))


def _replaced(entry: Applied, revision: Revision) -> Iterator[Replaced]:
    path = revision.path
    if entry.file_sha256 in (None, revision.file_sha256) or path is None or path.suffix != ".py":
        return
    is_same_upgrade = _is_same_upgrade(path, entry)
    is_same_place = entry.is_stamp or set(revision.parents) == set(entry.parents)
    if not (is_same_upgrade and is_same_place):
        is_same_id = is_drawn(revision.id)
        yield Replaced(entry, path.name, revision.parents, is_same_upgrade, is_same_id)


def _is_same_upgrade(path: Path, entry: Applied) -> bool:
    try:
        source = path.read_bytes()
        checksums = {upgrade_checksum(source), code_checksum(source)}
    except (OSError, SyntaxError, ValueError):  # the file was readable when it was applied
        return False
    return not checksums.isdisjoint((entry.checksum, *entry.former))


def is_changed(attempt: Unfinished, history: History) -> bool:
    """Return whether the file was changed since that attempt: then a person has looked at it."""
    known = history.revisions.get(attempt.revision)
    return attempt.file_sha256 != (known and known.file_sha256)


def fingerprint(revision: Revision | None) -> tuple[str | None, str | None]:
    """Return the hash of a revision's bytes and of its upgrade; None if there is no source.

    The bytes are those that were read before anything ran. If the file has changed since then, the
    hash of its upgrade is None: the present content is not what runs.
    """
    if revision is None or revision.path is None or revision.file_sha256 is None:
        return None, None
    try:
        source = revision.path.read_bytes()
    except OSError:
        return revision.file_sha256, None
    is_same = file_sha256(source) == revision.file_sha256
    return revision.file_sha256, upgrade_checksum(source) if is_same else None


def taken_along(
    taken_back: Iterable[str], journal: Iterable[Applied], history: History
) -> tuple[str, ...]:
    """Return the revisions of an older history that are downgraded together with these.

    A revision that was recorded in place of others, after a history was squashed, has them as
    parents in the journal. Its downgrade undoes their changes, so none of them is in the database
    any more.
    """
    entries = {entry.revision: entry for entry in journal}
    found: list[str] = []
    waiting = [it for name in taken_back if name in entries for it in entries[name].parents]
    while waiting:
        name = waiting.pop()
        if name in entries and name not in history.revisions and name not in found:
            found.append(name)
            waiting += entries[name].parents
    return tuple(found)
