"""One step down from where a database is: which revision that is, or why it could be several."""

import pytest

from alembic_boot.errors import ConfigurationError
from alembic_boot.history.history import History, Target
from alembic_boot.migration.downgrade_target import below
from alembic_boot.state.inspection import DatabaseFacts, inspect
from tests.boot.history.graphs import BRANCHED, LINE, MERGED, SEPARATE


def step_below(made: History, rows: str) -> str:
    facts = DatabaseFacts(tuple(rows.split()), ("books",) if rows else ())
    return below(inspect(facts, made, Target("heads", made.heads)), made)


@pytest.mark.parametrize(
    ("made", "rows", "expected"),
    [
        (LINE, "003", "002"),
        (LINE, "002", "001"),
        (LINE, "001", "base"),
        (LINE, "", "base"),
        (MERGED, "b1", "a1"),
        (BRANCHED, "c2", "c1"),
        (SEPARATE, "x2", "x1"),
        (SEPARATE, "y2", "y1"),
    ],
)
def test_one_step(made: History, rows: str, expected: str) -> None:
    """It goes by where the database is, wherever the head is."""
    assert step_below(made, rows) == expected


ADVICE = (
    "so one step down could mean several things. Name the revision to go down to, as in "
    "`inv rollback --target {}`. Nothing was changed."
)


@pytest.mark.parametrize(
    ("made", "rows", "sentence"),
    [
        (MERGED, "d1", f"d1 joins b1 and c1, {ADVICE.format('b1')}"),
        (MERGED, "b1 c1", f"The database is at 2 revisions: b1, c1, {ADVICE.format('a1')}"),
        (SEPARATE, "y1", f"y1 also needs x1, {ADVICE.format('base')}"),
    ],
)
def test_several_steps(made: History, rows: str, sentence: str) -> None:
    """Where a step is not one thing, people say which one they mean."""
    with pytest.raises(ConfigurationError) as caught:
        step_below(made, rows)
    assert str(caught.value) == sentence
