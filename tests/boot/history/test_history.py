"""The graph of revisions: what stands on what, in which order, and what a target means."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from alembic_boot.errors import BootError, ConfigurationError, HistoryBrokenError
from alembic_boot.history.history import History, Revision, Target, resolve_target
from tests.boot.history.graphs import BRANCHED, LINE, MERGED, SEPARATE, histories, history, revision


@st.composite
def histories_and_ids(draw: st.DrawFn, sets: int = 1) -> tuple[History, list[frozenset[str]]]:
    """Make a history with sets of its revisions."""
    made = draw(histories())
    ids = st.frozensets(st.sampled_from(sorted(made.revisions)))
    return made, [draw(ids) for _ in range(sets)]


def stands_on(made: History, id: str) -> set[str]:
    return {*made.revisions[id].parents, *made.revisions[id].depends_on}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (history(), ()),
        (LINE, ("003",)),
        (MERGED, ("d1",)),
        (BRANCHED, ("b1", "c2")),
        (SEPARATE, ("x2", "y2")),
        # what is only depended on is still a head, as Alembic has it
        (history(revision("a"), revision("b", depends_on=["a"])), ("a", "b")),
    ],
)
def test_heads(made: History, expected: tuple[str, ...]) -> None:
    """A head is a revision that no other one revises."""
    assert expected == made.heads


@pytest.mark.parametrize(
    ("made", "ids", "expected"),
    [
        (LINE, [], ""),
        (LINE, ["002"], "001 002"),
        (LINE, ["003", "001"], "001 002 003"),
        (MERGED, ["d1"], "a1 b1 c1 d1"),
        (MERGED, ["c1"], "a1 c1"),
        (BRANCHED, ["c2"], "a1 c1 c2"),
        (SEPARATE, ["y2"], "x1 y1 y2"),
        (SEPARATE, ["y2", "x2"], "x1 x2 y1 y2"),
    ],
)
def test_closure(made: History, ids: list[str], expected: str) -> None:
    """With a revision goes all that it stands on, dependencies as well as parents."""
    assert set(expected.split()) == made.closure(ids)


@pytest.mark.parametrize(
    ("made", "ids", "expected"),
    [
        (LINE, ["003", "001", "002"], "001 002 003"),
        (LINE, ["003", "001"], "001 003"),
        (MERGED, ["d1", "c1", "b1", "a1"], "a1 b1 c1 d1"),
        (SEPARATE, ["y2", "y1", "x1"], "x1 y1 y2"),
        (LINE, [], ""),
    ],
)
def test_in_order(made: History, ids: list[str], expected: str) -> None:
    """What is asked for comes back sorted, each after what it stands on."""
    assert tuple(expected.split()) == made.in_order(ids)


@settings(deadline=None, max_examples=50)
@given(histories_and_ids())
def test_order_respects_what_stands_on_what(drawn: tuple[History, list[frozenset[str]]]) -> None:
    """Nothing comes before its parents and dependencies, and nothing is lost or added."""
    made, [ids] = drawn
    order = made.in_order(ids)
    assert sorted(ids) == sorted(order)
    position = {id: index for index, id in enumerate(order)}
    late = [
        (id, below)
        for id in order
        for below in made.closure([id]) - {id}
        if position.get(below, -1) > position[id]
    ]
    assert late == []


@settings(deadline=None, max_examples=50)
@given(histories(), st.randoms(use_true_random=False))
def test_order_is_the_same_however_files_were_listed(made: History, random: Random) -> None:
    """Two machines that list the files differently apply them in the same order."""
    ids = list(made.revisions)
    random.shuffle(ids)
    again = history(*(made.revisions[id] for id in ids))
    assert made.in_order(ids) == again.in_order(sorted(ids))


@settings(deadline=None, max_examples=50)
@given(histories_and_ids(sets=2))
def test_closure_is_a_closure(drawn: tuple[History, list[frozenset[str]]]) -> None:
    """It holds what it was asked for, adds nothing a second time, and grows with its question."""
    made, [some, others] = drawn
    closed = made.closure(some)
    assert some <= closed
    assert closed == made.closure(closed)
    assert closed <= made.closure(some | others)
    assert made.closure(some | others) == closed | made.closure(others)
    assert [id for id in closed if not stands_on(made, id) <= closed] == []


@settings(deadline=None, max_examples=50)
@given(histories())
def test_heads_are_those_without_children(made: History) -> None:
    """Heads are exactly what no revision has for a parent, and all stands below them."""
    childless = {
        id
        for id in made.revisions
        if not any(id in other.parents for other in made.revisions.values())
    }
    assert sorted(childless) == list(made.heads)
    assert set(made.revisions) == made.closure(made.heads)


PREFIXES = history(revision("abc1"), revision("abd2", "abc1"), revision("ab", "abd2"))


@pytest.mark.parametrize(
    ("made", "text", "rollback", "expected"),
    [
        (LINE, None, False, Target("003", ("003",))),
        (LINE, "head", False, Target("003", ("003",))),
        (LINE, "heads", False, Target("heads", ("003",))),
        (LINE, "base", False, Target("base", ())),
        (LINE, "002", False, Target("002", ("002",))),
        (MERGED, None, False, Target("d1", ("d1",))),
        # rolling back: the parent of head, the same one at every start
        (LINE, None, True, Target("002", ("002",))),
        (LINE, "001", True, Target("001", ("001",))),
        (LINE, "head", True, Target("003", ("003",))),
        (LINE, "base", True, Target("base", ())),
        # part of a name
        (PREFIXES, "abc", False, Target("abc1", ("abc1",))),
        (PREFIXES, "abd2", False, Target("abd2", ("abd2",))),
        (PREFIXES, "ab", False, Target("ab", ("ab",))),
        # branches
        (BRANCHED, "heads", False, Target("heads", ("b1", "c2"))),
        (BRANCHED, "c1", False, Target("c1", ("c1",))),
        (BRANCHED, "main@head", False, Target("b1", ("b1",))),
        (BRANCHED, "side@head", False, Target("c2", ("c2",))),
        (SEPARATE, "books@head", False, Target("x2", ("x2",))),
        (SEPARATE, "users@head", False, Target("y2", ("y2",))),
    ],
)
def test_a_target(made: History, text: str | None, rollback: bool, expected: Target) -> None:
    """A target stands for revisions of this history."""
    assert expected == resolve_target(made, text, rollback=rollback)


NAME_ONE = "Name a revision, head or heads."


@pytest.mark.parametrize(
    ("made", "text", "rollback", "expected"),
    [
        *(
            (
                LINE,
                text,
                False,
                f"The target {text!r} is relative, and would mean something else at every start. "
                f"{NAME_ONE}",
            )
            for text in ("-1", "+1", "+12", "002-1", "head-1", "side@head-1", "side@+2")
        ),
        (
            LINE,
            "004",
            False,
            "The target '004' is not a revision of this history. "
            "Name a revision, head (which is 003) or heads.",
        ),
        (
            LINE,
            "00",
            False,
            "The target '00' could be 001, 002, 003. "
            "Name a revision, head (which is 003) or heads.",
        ),
        (
            LINE,
            "HEAD",
            False,
            "The target 'HEAD' is not a revision of this history. "
            "Name a revision, head (which is 003) or heads.",
        ),
        (LINE, "main@head", False, f"The target 'main@head' means 0 revisions. {NAME_ONE}"),
        (
            history(
                revision("a", labels=["both"]),
                revision("b", "a", labels=["both"]),
                revision("c", "a", labels=["both"]),
            ),
            "both@head",
            False,
            f"The target 'both@head' means 2 revisions. {NAME_ONE}",
        ),
        (
            history(revision("001")),
            None,
            True,
            "Rolling back means the parent of head, and 001 has 0 parents. "
            "Name the revision to go down to: MIGRATION_TARGET, or --target.",
        ),
        (
            MERGED,
            None,
            True,
            "Rolling back means the parent of head, and d1 has 2 parents. "
            "Name the revision to go down to: MIGRATION_TARGET, or --target.",
        ),
    ],
)
def test_a_target_that_means_nothing(
    made: History, text: str | None, rollback: bool, expected: str
) -> None:
    """A target that is not one revision of this history is a mistake in the configuration."""
    with pytest.raises(ConfigurationError) as caught:
        resolve_target(made, text, rollback=rollback)
    assert (2, expected) == (caught.value.exit_status, str(caught.value))


@pytest.mark.parametrize("rollback", [False, True])
@pytest.mark.parametrize("text", [None, "head"])
def test_two_heads(text: str | None, rollback: bool) -> None:
    """Where the history has two heads, `head` means neither, and the history counts as broken."""
    with pytest.raises(HistoryBrokenError) as caught:
        resolve_target(BRANCHED, text, rollback=rollback)
    assert (caught.value.exit_status, str(caught.value)) == (
        9,
        "The history has 2 heads: b1, c2. Join them with `inv merge --message 'Join b1 and c2'`, "
        "or set MIGRATION_TARGET=heads.",
    )
    public = "The history has 2 heads. Join them with `inv merge --message 'Join b1 and c2'`."
    assert caught.value.public == public


@settings(deadline=None, max_examples=50)
@given(histories(), st.none() | st.text(max_size=6), st.booleans())
def test_any_text_is_a_target_or_a_sentence(
    made: History, text: str | None, rollback: bool
) -> None:
    """Whatever is asked for, the answer is revisions of this history or a foreseen error."""
    try:
        found = resolve_target(made, text, rollback=rollback)
    except BootError as error:
        assert error.exit_status in (2, 9)
    else:
        assert set(found.revisions) <= set(made.revisions)


@settings(deadline=None, max_examples=50)
@given(histories())
def test_every_revision_is_a_target_by_its_name(made: History) -> None:
    """A whole name means that revision, also where another one begins with it."""
    names = {id: resolve_target(made, id, rollback=True).revisions for id in made.revisions}
    assert {id: (id,) for id in made.revisions} == names


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (Revision("001", (), "create books"), "001 create books"),
        (Revision("001", (), "001"), "001"),
    ],
)
def test_a_label(made: Revision, expected: str) -> None:
    """People see the number with the title, or the number alone where there is none."""
    assert expected == made.label


def test_a_long_history() -> None:
    """Thousands of revisions in one line are no problem of depth."""
    ids = [f"{number:04}" for number in range(3000)]
    made = history(
        revision(ids[0], labels=["books"]),
        *(revision(id, parent) for parent, id in pairwise(ids)),
    )
    assert tuple(ids) == made.in_order(made.closure([ids[-1]]))
    expected = Target(ids[-1], (ids[-1],))
    assert expected == resolve_target(made, "books@head", rollback=False)
