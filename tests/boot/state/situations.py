"""Databases beside histories: some that tests write down, and a strategy that makes any."""

from hypothesis import strategies as st

from alembic_boot.history.history import History, Target
from alembic_boot.state.inspection import DatabaseFacts
from alembic_boot.state.journal_rows import Applied
from tests.boot.history.graphs import histories


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def entry(text: str) -> Applied:
    """Read `revision<parent,parent`, with a `+` at the end where it is journalled as expand."""
    revision, _, parents = text.rstrip("+").partition("<")
    return Applied(revision, tuple(parents.split(",") if parents else ()), text.endswith("+"))


@st.composite
def situations(draw: st.DrawFn) -> tuple[DatabaseFacts, History, Target]:
    """Make any facts beside any history and any target in it."""
    made = draw(histories())
    known = st.sampled_from(sorted(made.revisions))
    rows = tips(made, draw(st.frozensets(known, max_size=4)))
    unknown = draw(st.frozensets(st.sampled_from(["u1", "u2"])))
    tables = draw(st.sampled_from([(), ("books",), ("books", "users")]))
    target = draw(st.frozensets(known, max_size=3) | st.just(frozenset(made.heads)))
    return (
        DatabaseFacts(tuple(sorted({*rows, *unknown})), tables),
        made,
        Target("wanted", tips(made, target)),
    )


def tips(made: History, ids: frozenset[str]) -> tuple[str, ...]:
    """Leave out what is an ancestor of another: the version table holds no such row."""
    covered = {old for new in ids for old in made.lineage(made.revisions[new].parents)}
    return tuple(sorted(ids - covered))
