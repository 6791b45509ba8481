"""The history on disk for the status page, read again only if a file has changed."""

import os

from alembic_boot.description import BootDescription
from alembic_boot.history.ahead import likely_files
from alembic_boot.history.headers import read_file
from alembic_boot.history.history import History, place
from alembic_boot.history.schema_names import SchemaNames
from alembic_boot.situation import situation

_HINTS = (b"schema", b"search_path", b"create_all")
"""Words of a file that may make something in another schema."""


class HistoryFiles:
    """Reads revisions by their headers, without Alembic and without importing any of them.

    If that is not enough, Alembic reads the history, but not while this process boots. Not
    thread-safe.
    """

    def __init__(self, boot: BootDescription) -> None:
        self._boot = boot
        self._signature: object = None
        self._history: History | None = None
        self._named: dict[frozenset[str], frozenset[str]] = {}

    def read(self) -> History | None:
        """Return the history; None until Alembic may read it. Raises BootError or OSError."""
        files = likely_files(self._boot.alembic_config)
        signature = [(path, it.st_mtime_ns, it.st_size) for path in files if (it := os.stat(path))]  # noqa: PTH116 (thousands)
        if signature != self._signature or self._history is None:
            self._named.clear()
            self._history = self._read(files)
            self._signature = signature
        return self._history

    def schemas(self, others: frozenset[str]) -> frozenset[str]:
        """Return those of these schemas that the history makes something in."""
        if others not in self._named:
            self._named[others] = self._read_schemas(others)
        return self._named[others]

    def _read(self, files: list[str]) -> History | None:
        found = [read_file(path) for path in files]
        revisions = [it for it in found if it is not None]
        history = place(revisions) if revisions and len(revisions) == len(found) else None
        if history is not None or situation().is_booting:
            return history
        from alembic_boot.environment.opening import open_project

        boot = self._boot
        return open_project(boot.alembic_config, boot.migration_database_url).history

    def _read_schemas(self, others: frozenset[str]) -> frozenset[str]:
        names = SchemaNames()
        hints = (*_HINTS, *(it.lower().encode() for it in others))
        for revision in self._history.revisions.values() if self._history else ():
            source = revision.source()
            if source is None or not any(hint in source.lower() for hint in hints):
                continue
            try:
                names.read_python(source)
            except SyntaxError:  # a start says what is wrong with it
                continue
        return names.among(others, frozenset())
