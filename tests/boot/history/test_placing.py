"""Headers alone make the history, unless something in them is for Alembic to resolve or refuse."""

import pytest

from alembic_boot.history.history import Revision, place, title


def file(revision: str, *parents: str, **more: tuple[str, ...]) -> Revision:
    return Revision(revision, parents, revision, file=f"/v/{revision}.py", **more)  # type: ignore[arg-type]


FIRST = file("a1")


def test_a_history() -> None:
    """Branches and merges need no resolving; the files keep the order in which they are read."""
    merge = file("d4", "c3", "b2")
    placed = place([merge, FIRST, file("b2", "a1"), file("c3", "a1")])
    assert placed is not None
    assert list(placed.revisions) == ["d4", "a1", "b2", "c3"]
    assert placed.heads == ("d4",)
    assert placed.revisions["d4"] == merge


@pytest.mark.parametrize(
    "files",
    [
        [FIRST, file("b2", depends_on=("a1",))],
        [FIRST, file("b2", "a1", branch_labels=("books",))],
        [FIRST, file("b2", "books@head")],
        [FIRST, file("a1")],
        [FIRST, file("b2", "c3")],
        [FIRST, file("b2", "a1", "c3")],
        [file("a1", "a1")],
        [FIRST, file("b2", "c3"), file("c3", "b2")],
        [FIRST, file("b2", "a1", "c3"), file("c3", "b2"), file("d4", "c3")],
        [file("a-1")],
        [file("a1@b")],
        [file("a+1")],
        [file("a:1")],
        [file("한국어")],
    ],
)
def test_what_is_for_alembic(files: list[Revision]) -> None:
    """Labels, dependencies, ids that are there twice or missing, cycles, and unusual ids."""
    assert place(files) is None


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        (None, "a1"),
        ("", "a1"),
        ("  Books.  ", "Books"),
        ("\nBooks\nand pages.\n\nRevision ID: a1\n", "Books and pages"),
        ("Books\n    \n    and pages.", "Books"),
    ],
)
def test_titles(doc: str | None, expected: str) -> None:
    """The first paragraph is the title."""
    assert title(doc, "a1") == expected
