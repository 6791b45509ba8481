"""In which state a schema is: the table of all states, and what holds of every one."""

import pytest
from hypothesis import given, settings, strategies as st

from alembic_boot.history.history import History, Target
from alembic_boot.state.inspection import (
    NO_DATABASE,
    DatabaseFacts,
    Inspection,
    SchemaState,
    inspect,
)
from alembic_boot.state.journal_rows import Applied
from tests.boot.history.graphs import BRANCHED, LINE, MERGED, SEPARATE, histories
from tests.boot.state.situations import entry, situations, words

EMPTY, UNMANAGED, BEHIND = SchemaState.EMPTY, SchemaState.UNMANAGED, SchemaState.BEHIND
CURRENT, PAST, DIVERGED = SchemaState.CURRENT, SchemaState.PAST, SchemaState.DIVERGED
AHEAD = SchemaState.AHEAD


@pytest.mark.parametrize(
    ("made", "rows", "tables", "target", "state", "pending", "beyond", "unknown"),
    [
        # one line: rows of the version table, tables, target
        (LINE, "", "", "003", EMPTY, "001 002 003", "", ""),
        (LINE, "", "", "002", EMPTY, "001 002", "", ""),
        (LINE, "", "", "", EMPTY, "", "", ""),
        (LINE, "", "books", "003", UNMANAGED, "001 002 003", "", ""),
        (LINE, "", "books", "", UNMANAGED, "", "", ""),
        (LINE, "001", "", "003", BEHIND, "002 003", "", ""),
        (LINE, "001", "books", "003", BEHIND, "002 003", "", ""),
        (LINE, "002", "books", "003", BEHIND, "003", "", ""),
        (LINE, "003", "books", "003", CURRENT, "", "", ""),
        (LINE, "003", "", "003", CURRENT, "", "", ""),
        (LINE, "002", "books", "002", CURRENT, "", "", ""),
        (LINE, "003", "books", "002", PAST, "", "003", ""),
        (LINE, "003", "books", "001", PAST, "", "003 002", ""),
        (LINE, "003", "books", "", PAST, "", "003 002 001", ""),
        (LINE, "009", "books", "003", DIVERGED, "001 002 003", "", "009"),
        (LINE, "009", "", "003", DIVERGED, "001 002 003", "", "009"),
        (LINE, "003 009", "books", "003", DIVERGED, "", "", "009"),
        (LINE, "009", "", "", DIVERGED, "", "", "009"),
        # branches, and their merge
        (MERGED, "b1", "books", "d1", BEHIND, "c1 d1", "", ""),
        (MERGED, "b1 c1", "books", "d1", BEHIND, "d1", "", ""),
        (MERGED, "d1", "books", "b1", PAST, "", "d1 c1", ""),
        (MERGED, "b1", "books", "c1", DIVERGED, "c1", "b1", ""),
        (BRANCHED, "", "", "b1 c2", EMPTY, "a1 b1 c1 c2", "", ""),
        (BRANCHED, "b1", "books", "b1 c2", BEHIND, "c1 c2", "", ""),
        (BRANCHED, "b1 c2", "books", "b1 c2", CURRENT, "", "", ""),
        (BRANCHED, "b1 c1", "books", "b1 c2", BEHIND, "c2", "", ""),
        (BRANCHED, "b1 c2", "books", "b1", PAST, "", "c2 c1", ""),
        (BRANCHED, "b1", "books", "c2", DIVERGED, "c1 c2", "b1", ""),
        # a dependency: fewer rows than heads, since y2 stands on x1
        (SEPARATE, "y2", "books", "x2 y2", BEHIND, "x2", "", ""),
        (SEPARATE, "x2 y2", "books", "x2 y2", CURRENT, "", "", ""),
        (SEPARATE, "y2", "books", "x1 y2", CURRENT, "", "", ""),
        (SEPARATE, "y1", "books", "x1", PAST, "", "y1", ""),
    ],
)
def test_the_table(
    made: History,
    rows: str,
    tables: str,
    target: str,
    state: SchemaState,
    pending: str,
    beyond: str,
    unknown: str,
) -> None:
    """What is recorded, the tables and the target decide the state and what is missing."""
    facts = DatabaseFacts(words(rows), words(tables))
    wanted = Target(target or "base", words(target))
    expected = Inspection(
        state=state,
        current=words(rows),
        target=wanted,
        heads=made.heads,
        pending=words(pending),
        beyond=words(beyond),
        unknown=words(unknown),
        tables=words(tables),
        contracting=words(unknown),
    )
    assert expected == inspect(facts, made, wanted)


@pytest.mark.parametrize(
    ("target", "state", "pending"), [("003", BEHIND, "001 002 003"), ("", CURRENT, "")]
)
def test_at_base_beside_tables_of_others(target: str, state: SchemaState, pending: str) -> None:
    """If the journal shows that the history is at base, the tables are known not to be its own."""
    facts = DatabaseFacts((), ("celery_taskmeta",), is_at_base=True)
    found = inspect(facts, LINE, Target(target or "base", words(target)))
    assert (found.state, found.current, found.pending) == (state, (), words(pending))


@pytest.mark.parametrize(
    ("made", "rows", "journal", "target", "state", "unknown", "contracting"),
    [
        (LINE, "004", "004<003+", "003", AHEAD, "004", ""),
        (LINE, "004", "004<003", "003", AHEAD, "004", "004"),
        (LINE, "005", "004<003+ 005<004+", "003", AHEAD, "004 005", ""),
        (LINE, "005", "004<003 005<004+", "003", AHEAD, "004 005", "004"),
        (LINE, "004", "003<002+ 004<003+", "003", AHEAD, "004", ""),
        (LINE, "004", "004<003+", "002", AHEAD, "004", ""),  # pinned below the head
        (LINE, "m", "004<003+ 005<003+ m<004,005+", "003", AHEAD, "004 005 m", ""),
        (LINE, "004 005", "004<003+ 005<003+", "003", AHEAD, "004 005", ""),
        # what came along by depends_on
        (LINE, "004", "x1 004<003+", "003", AHEAD, "004 x1", "x1"),
        (LINE, "004", "x1+ 004<003+", "003", AHEAD, "004 x1", ""),
        # what known ones were applied on top of is of an older history: squashed since
        (LINE, "004", "x1 x2<x1 003<x2 004<003+", "003", AHEAD, "004", ""),
        (LINE, "004", "x1 x2<x1 002<x2 004<003+", "003", AHEAD, "004", ""),
        (LINE, "004", "x2<x1 003<x2 x3 004<003+", "003", AHEAD, "004 x3", "x3"),
        (LINE, "x3", "x2<x1 x3<x2", "003", DIVERGED, "x1 x2 x3", "x1 x2 x3"),
        # recorded here and there in turn
        (LINE, "003", "x1<003 003<x1", "003", CURRENT, "", ""),
        (LINE, "004", "x1<003 003<x1 004<003+", "003", AHEAD, "004", ""),
        # no row, no opinion
        (LINE, "004", "", "003", DIVERGED, "004", "004"),
        (LINE, "005", "005<004+", "003", DIVERGED, "004 005", "004"),
        # not on top of what this release has
        (LINE, "004", "004<002+", "003", DIVERGED, "004", ""),
        (LINE, "003 004", "004<002+", "003", DIVERGED, "004", ""),
        (LINE, "004", "004+", "003", DIVERGED, "004", ""),
        (LINE, "003 004", "004+", "003", DIVERGED, "004", ""),
        (LINE, "003 004", "004<003+", "003", AHEAD, "004", ""),
        (LINE, "004", "004<005+ 005<004+", "003", DIVERGED, "004 005", ""),
        # several heads
        (BRANCHED, "n", "n<b1,c2+", "b1 c2", AHEAD, "n", ""),
        (BRANCHED, "b1 n", "n<c2+", "b1 c2", AHEAD, "n", ""),
        (BRANCHED, "n", "n<c2+", "b1 c2", DIVERGED, "n", ""),
        (BRANCHED, "c1 n", "n<b1+", "b1 c2", DIVERGED, "n", ""),
    ],
)
def test_what_the_journal_knows(
    made: History,
    rows: str,
    journal: str,
    target: str,
    state: SchemaState,
    unknown: str,
    contracting: str,
) -> None:
    """A database is ahead where the journal follows all it has more down to all we have."""
    facts = DatabaseFacts(words(rows), ("books",), tuple(map(entry, words(journal))))
    found = inspect(facts, made, Target(target, words(target)))
    assert (state, words(unknown), words(contracting)) == (
        found.state,
        found.unknown,
        found.contracting,
    )


@settings(deadline=None, max_examples=50)
@given(histories(), st.data())
def test_an_older_release_beside_a_newer_one(made: History, data: st.DataObject) -> None:
    """What the newer release applied is ahead of the older one, or on a branch that it has not."""
    known = made.closure(data.draw(st.frozensets(st.sampled_from(sorted(made.revisions)))))
    older = History({name: made.revisions[name] for name in known})
    journal = tuple(
        Applied(revision.id, revision.parents, is_expand=True)
        for revision in made.revisions.values()
    )
    target = Target("head", older.heads)
    found = inspect(DatabaseFacts(made.heads, ("books",), journal), older, target)
    assert set(found.unknown) == set(made.lineage(made.heads)) - known
    if found.unknown and found.state is AHEAD:
        assert made.lineage(made.heads) >= known
    else:
        assert found.state in (DIVERGED, CURRENT) or not known
    assert found.contracting == ()


@pytest.mark.parametrize("rows", [("002", "003"), ("003", "003"), ("001", "003")])
def test_rows_that_say_the_same_twice(rows: tuple[str, ...]) -> None:
    """Alembic leaves no row beside a descendant's: which of them is true nobody knows."""
    found = inspect(DatabaseFacts(rows, ("books",)), LINE, Target("003", ("003",)))
    assert found.state is DIVERGED


def test_a_database_that_is_yet_to_be_made() -> None:
    """It counts as an empty one."""
    found = inspect(NO_DATABASE, LINE, Target("003", ("003",)))
    assert (found.state, found.pending) == (EMPTY, ("001", "002", "003"))


@settings(deadline=None, max_examples=50)
@given(situations())
def test_each_state_means_one_thing(situation: tuple[DatabaseFacts, History, Target]) -> None:
    """The states exclude each other and leave nothing out: each one's meaning holds of it only."""
    facts, made, target = situation
    found = inspect(facts, made, target)
    managed, missing, more = bool(facts.current), bool(found.pending), bool(found.beyond)
    known = not found.unknown
    meanings = {
        EMPTY: known and not managed and not facts.tables,
        UNMANAGED: known and not managed and bool(facts.tables),
        BEHIND: known and managed and missing and not more,
        CURRENT: known and managed and not missing and not more,
        PAST: known and managed and more and not missing,
        DIVERGED: not known or (managed and missing and more),
    }
    assert [found.state] == [state for state, holds in meanings.items() if holds]


@settings(deadline=None, max_examples=50)
@given(situations())
def test_what_holds_of_every_state(situation: tuple[DatabaseFacts, History, Target]) -> None:
    """Pending and beyond are disjoint, known, in order, and lead from here to the target."""
    facts, made, target = situation
    found = inspect(facts, made, target)
    pending, beyond = set(found.pending), set(found.beyond)
    known = [row for row in facts.current if row in made.revisions]
    assert set() == pending & beyond
    assert sorted(known) == sorted(set(facts.current) - set(found.unknown))
    assert made.closure(target.revisions) == (made.closure(known) | pending) - beyond
    assert found.pending == made.in_order(pending)
    assert found.beyond == made.in_order(beyond)[::-1]
    assert (facts.current, facts.tables, made.heads) == (found.current, found.tables, found.heads)


@settings(deadline=None, max_examples=50)
@given(situations())
def test_doing_what_is_pending_makes_it_current(
    situation: tuple[DatabaseFacts, History, Target],
) -> None:
    """A database that has gone up or down as it says is where it should be."""
    facts, made, target = situation
    found = inspect(facts, made, target)
    if found.state not in (EMPTY, BEHIND, PAST, CURRENT):
        return
    reached = inspect(DatabaseFacts(target.revisions, facts.tables), made, target)
    expected = CURRENT if target.revisions else EMPTY if not facts.tables else UNMANAGED
    assert expected is reached.state
