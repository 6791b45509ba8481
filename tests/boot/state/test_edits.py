"""Which applied revisions have another file now than the one that was applied."""

from pathlib import Path

import pytest

from backend.boot.revisions.checksum import code_checksum, file_sha256
from backend.boot.revisions.history import History, Revision
from backend.boot.state.edits import edited_revisions
from backend.boot.state.inspection import Applied

SOURCE = b"def upgrade(): pass\n"


def edited(path: Path, applied: bytes, now: bytes) -> bool:
    path.write_bytes(now)
    revision = Revision("a1", (), "a1", path=path, file_sha256=file_sha256(now))
    entry = Applied("a1", (), False, file_sha256(applied), code_checksum(applied))
    return bool(edited_revisions([entry], History({"a1": revision})))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (SOURCE, False),
        (b"# a comment\n" + SOURCE, False),
        (SOURCE.replace(b"pass", b"None"), True),
        (b"def upgrade(: pass\n", True),
        (b"\0", True),
        (b"\xff", True),
        (b"", True),
    ],
)
def test_edits(now: bytes, expected: bool, tmp_path: Path) -> None:
    """The code counts, and what does not parse is other code."""
    assert edited(tmp_path / "a1.py", SOURCE, now) == expected


def test_what_is_not_known_is_not_edited(tmp_path: Path) -> None:
    """A row without a hash, a revision without a file, a row of another history."""
    path = tmp_path / "a1.py"
    path.write_bytes(SOURCE)
    history = History({"a1": Revision("a1", (), "a1", path=path), "b2": Revision("b2", (), "b2")})
    rows = [Applied("a1", (), False), Applied("b2", (), False, "x", "y"), Applied("z", (), False)]
    assert edited_revisions(rows, history) == ()
