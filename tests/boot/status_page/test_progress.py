"""What the page says from the boot's own notes, without a database."""

from dataclasses import replace

from alembic_boot.situation import Build, Situation
from alembic_boot.status_page.progress import outline, running_of, stages_after, stages_of
from alembic_boot.status_page.report import (
    Condition,
    RunningRevision,
    Stage,
    StageStatus as S,
)

NOW = 100.0

RUNNING = Situation(
    began_at=NOW - 9,
    stage="migrate",
    stage_began_at=NOW - 5,
    revision="b2 Titles",
    revision_id="b2",
    revision_began_at=NOW - 4,
    done=1,
    of=3,
    seconds={"wait": 3.5},
    is_booting=True,
)


def test_stages() -> None:
    waiting = (Stage("seed", S.WAITING), Stage("serve", S.WAITING))
    at_work = (Stage("wait", S.DONE, 3.5), Stage("migrate", S.RUNNING, 5), *waiting)
    assert stages_of(RUNNING, NOW) == at_work
    lock = Situation(NOW, stage="lock", stage_began_at=NOW - 5, seconds={"wait": 3.5})
    assert stages_of(lock, NOW) == at_work
    first = Situation(NOW)
    assert {it.status for it in stages_of(first, NOW)} == {S.WAITING}


def test_stages_of_a_boot_that_is_over() -> None:
    seconds = {"wait": 1.0, "migrate": 2.0}
    names = [(it.name, it.status) for it in stages_after(seconds, has_failed=True)]
    assert names == [
        ("wait", S.DONE),
        ("migrate", S.FAILED),
        ("seed", S.WAITING),
        ("serve", S.DONE),
    ]
    assert stages_after({}, has_failed=False) == ()


def test_the_running_revision() -> None:
    assert running_of(RUNNING, NOW) == RunningRevision("b2", "Titles", 2, 3, elapsed=4)
    blocked = Situation(
        NOW,
        revision="b2",
        revision_id="b2",
        of=1,
        blocked_by="backend 7",
        blocked_since=NOW - 2,
        tries=3,
        budget_left=60.0,
        statement="ALTER TABLE t",
        build=Build("t", "building index", 5, 10),
    )
    found = running_of(blocked, NOW)
    assert found is not None
    assert (found.title, found.blocked_by, found.blocked_for) == ("b2", "backend 7", 2)
    assert (found.tries, found.budget_left, found.statement) == (4, 60.0, "ALTER TABLE t")
    assert found.index == blocked.build
    assert running_of(Situation(NOW), NOW) is None


def test_the_values_of_a_statement_are_not_shown() -> None:
    """A value may be a secret, and a statement may be long."""
    statement = f"CREATE ROLE r LOGIN PASSWORD 'S3cret' CONNECTION LIMIT 5 {'x' * 9_000_000}"
    found = running_of(replace(RUNNING, statement=statement), NOW)
    assert found is not None
    assert found.statement
    assert found.statement.startswith("CREATE ROLE r LOGIN PASSWORD … CONNECTION LIMIT … xxx")
    assert len(found.statement) < 100


def test_a_boot_that_failed() -> None:
    """The application serves all the same, and says why the schema is not as it should be."""
    facts = {"failure": "A migration failed.", "command": "inv migrate", "stages": {"wait": 1.0}}
    found = outline("books", "1.0", Situation(NOW), facts)
    assert (found.condition, found.reason) == (Condition.UNAVAILABLE, "A migration failed.")
    assert found.command == "inv migrate"
    assert found.elapsed is None
