"""Graphs of revisions that tests ask about, and a strategy that makes any graph."""

from collections.abc import Iterable

from hypothesis import strategies as st

from alembic_boot.history.history import History, Revision


def history(*revisions: Revision) -> History:
    return History({revision.id: revision for revision in revisions})


def revision(
    id: str, *parents: str, depends_on: Iterable[str] = (), labels: Iterable[str] = ()
) -> Revision:
    return Revision(id, parents, id, tuple(depends_on), tuple(labels))


LINE = history(revision("001"), revision("002", "001"), revision("003", "002"))


MERGED = history(
    revision("a1"),
    revision("b1", "a1"),
    revision("c1", "a1"),
    revision("d1", "b1", "c1"),
)


BRANCHED = history(
    revision("a1"),
    revision("b1", "a1", labels=["main"]),
    revision("c1", "a1", labels=["side"]),
    revision("c2", "c1", labels=["side"]),
)


SEPARATE = history(
    revision("x1", labels=["books"]),
    revision("x2", "x1", labels=["books"]),
    revision("y1", depends_on=["x1"], labels=["users"]),
    revision("y2", "y1", labels=["users"]),
)


@st.composite
def histories(draw: st.DrawFn, most: int = 8) -> History:
    """Make any history: lines, branches, merges, several bases, dependencies across."""
    number = draw(st.integers(1, most))
    revisions: list[Revision] = []
    for index in draw(st.permutations(range(number))):
        older = [older.id for older in revisions]
        ids = st.lists(st.sampled_from(older), max_size=2, unique=True) if older else st.just([])
        parents: list[str] = draw(ids)
        needed: list[str] = draw(ids)
        revisions.append(
            Revision(
                f"r{index}",
                tuple(parents),
                "title",
                tuple(id for id in needed if id not in parents),
            )
        )
    return history(*draw(st.permutations(revisions)))
