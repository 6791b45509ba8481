"""Headers alone make the history, unless something in them is for Alembic to resolve or refuse."""

import pytest

from alembic_boot.history.headers import Header, Names
from alembic_boot.history.history import Revision
from alembic_boot.history.placing import place, title
from alembic_boot.history.reading import HeadedFile


def file(revision: str, down_revision: Names = None, **more: Names) -> HeadedFile:
    return HeadedFile(f"/v/{revision}.py", Header(revision, down_revision, **more), "ab12")  # type: ignore[arg-type]


FIRST = file("a1")


def test_a_history() -> None:
    """Branches and merges need no resolving; the files keep the order in which they are read."""
    merge = file("d4", ("c3", "b2"), phase="expand", doc="Both.\n\nAt last.")
    placed = place([merge, FIRST, file("b2", "a1"), file("c3", "a1")])
    assert placed is not None
    assert list(placed.revisions) == ["d4", "a1", "b2", "c3"]
    assert placed.heads == ("d4",)
    assert placed.revisions["d4"] == Revision(
        "d4", ("c3", "b2"), "Both", phase="expand", file="/v/d4.py", file_sha256="ab12"
    )


@pytest.mark.parametrize(
    "files",
    [
        [FIRST, file("b2", depends_on="a1")],
        [FIRST, file("b2", "a1", branch_labels=("books",))],
        [FIRST, file("b2", "books@head")],
        [FIRST, file("a1")],
        [FIRST, file("b2", "c3")],
        [FIRST, file("b2", ("a1", "c3"))],
        [file("a1", "a1")],
        [FIRST, file("b2", "c3"), file("c3", "b2")],
        [FIRST, file("b2", ("a1", "c3")), file("c3", "b2"), file("d4", "c3")],
        [file("a-1")],
        [file("a1@b")],
        [file("a+1")],
        [file("a:1")],
        [file("한국어")],
    ],
)
def test_what_is_for_alembic(files: list[HeadedFile]) -> None:
    """Labels, dependencies, ids that are there twice or missing, cycles, and unusual ids."""
    assert place(files) is None


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        (None, "a1"),
        ("", "a1"),
        ("  Books.  ", "Books"),
        ("\nBooks\nand pages.\n\nRevision ID: a1\n", "Books and pages"),
    ],
)
def test_titles(doc: str | None, expected: str) -> None:
    """The first paragraph is the title."""
    assert title(doc, "a1") == expected
