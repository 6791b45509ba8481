"""Ids of new revisions: they go on with the numbers, sort, and never meet."""

import pytest
from alembic.script import Script

from alembic_boot.history.history import History
from alembic_boot.history.numbering import is_drawn, next_id
from tests.boot.history.graphs import LINE, history, revision

EMPTY = history()
GROWN = history(*LINE.revisions.values(), revision("004_k3f9", "003"))
TWO_HEADS = history(*GROWN.revisions.values(), revision("004_zzzz", "003"))
WITH_A_STRANGER = history(*LINE.revisions.values(), revision("1975ea83b712", "003"))
LONG = history(revision("999"))
SHORT = history(revision("7"))
BY_HAND = history(revision("0001_4c48"), revision("0002b", "0001_4c48"))
WITH_A_DATE = history(
    revision("001"), revision("20240102b", "001"), revision("1975ea83", "20240102b")
)
NAMED = history(revision("0001_initial"))


@pytest.mark.parametrize(
    ("made", "number"),
    [
        (EMPTY, "0001"),
        (LINE, "004"),
        (GROWN, "005"),
        (TWO_HEADS, "005"),
        (WITH_A_STRANGER, "004"),
        (LONG, "1000"),
        (SHORT, "8"),
        (NAMED, "0002"),
        (BY_HAND, "0003"),
        (WITH_A_DATE, "002"),
    ],
)
def test_the_number_goes_on(made: History, number: str) -> None:
    """It is one more than the highest, as wide as that."""
    found = next_id(made)
    assert found is not None
    assert found.partition("_")[0] == number
    assert is_drawn(found)


def test_numbers_sort_by_text_as_by_value() -> None:
    """A history that begins here does so up to 9999, as ids and as names of files."""
    made = EMPTY
    drawn: list[str] = []
    for _ in range(1200):
        id_ = next_id(made)
        assert id_ is not None
        drawn.append(id_)
        made = history(revision(drawn[0]), *(revision(it, drawn[0]) for it in drawn[1:][-1:]))
    assert drawn == sorted(drawn)
    names = [f"{it}_title.py" for it in drawn]
    assert names == sorted(names)


@pytest.mark.parametrize("root", ["1975ea83b712", "ae10", "20240102", "202401021530_users"])
def test_others_keep_their_own_kind(root: str) -> None:
    """A history that does not begin with a number goes on with Alembic's random ids."""
    assert next_id(history(revision(root))) is None


def test_two_branches_never_get_the_same_id() -> None:
    """Both stand on the same history, and neither knows of the other."""
    drawn = [next_id(LINE) for _ in range(50)]
    assert len(set(drawn)) == len(drawn)


def test_an_id_means_nothing_else_to_alembic() -> None:
    """It is a file's name, a part of a URL, fits the version table, and sorts among the others."""
    for _ in range(50):
        drawn = next_id(LINE)
        assert drawn is not None
        Script.verify_rev_id(drawn)
        assert drawn.replace("_", "").isalnum()
        assert drawn == drawn.lower()
        assert len(drawn) <= 32
        assert sorted([drawn, "003_title.py", "005_title.py"])[1] == drawn


@pytest.mark.parametrize(
    ("id_", "expected"),
    [("009_k3f9", True), ("1975ea83b712", True), ("009", False), ("009_users", False)],
)
def test_which_ids_two_people_may_both_write(id_: str, expected: bool) -> None:
    """A number alone is written by everybody who counts."""
    assert is_drawn(id_) is expected
