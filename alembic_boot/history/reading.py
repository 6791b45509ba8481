"""Read a revision's file without importing it."""

import os
from typing import NamedTuple

from alembic_boot.history.checksum import file_sha256
from alembic_boot.history.headers import Header, read_header

_PIECE = 1 << 20
"""Bytes to read from a file at once: most files are smaller."""


class HeadedFile(NamedTuple):
    """A revision's file whose header was read without an import."""

    path: str
    header: Header
    sha256: str
    """SHA-256 of the file's bytes, in hexadecimal."""


def is_source(name: str) -> bool:
    """Return whether Alembic reads a file of this name as the source of a revision."""
    return name.endswith(".py") and not name.startswith((".#", "__init__")) and name != ".py"


def read_file(path: str) -> HeadedFile | None:
    """Return a file with its header; None if only an import can tell the header.

    Raises OSError.
    """
    source = _source(path)
    header = read_header(source)
    return header and HeadedFile(path, header, file_sha256(source))


def _source(path: str) -> bytes:
    """Return the content of a file; `open` would take half as long again."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = b""
        while piece := os.read(file, _PIECE):
            found += piece
    finally:
        os.close(file)
    return found
