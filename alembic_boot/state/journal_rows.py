"""The rows of the journal, as the queries of `journal` return them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Applied:
    """A revision of the database by its journal: as its file was when it was applied."""

    revision: str
    parents: tuple[str, ...]
    is_expand: bool
    file_sha256: str | None = None
    checksum: str | None = None
    """Hash of its upgrade; in rows of older releases, of the whole file's code."""
    when: datetime | None = None
    host: str | None = None
    app_version: str | None = None
    is_stamp: bool = False
    """Whether it was only recorded: its parents may be the revisions that it replaced."""
    former: tuple[str, ...] = ()
    """Earlier checksums of a stamp: of files of this id that were recorded before.

    The release before still has one of these files, and its schema is the same.
    """


@dataclass(frozen=True)
class Running:
    """A revision that a process is running, or was running when it died."""

    id: int
    revision: str
    host: str
    pid: int
    since: str
    """The time of day, as in the log."""
    session_key: int | None
    """The key that identifies the working session."""

    def __str__(self) -> str:
        return f"host {self.host}, process {self.pid}, since {self.since}, at {self.revision}"


@dataclass(frozen=True)
class Unfinished:
    """The last attempt of a revision, which has failed."""

    id: int
    revision: str
    direction: str
    file_sha256: str | None
    """Hash of its file at that time."""
    committed: str = ""
    """The part that it committed all the same, and that may do harm if it is repeated, as SQL."""
