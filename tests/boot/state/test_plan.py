"""What is done about a state: the table of states and ways, with each refusal's sentence."""

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import (
    BootError,
    SchemaAheadError,
    SchemaDivergedError,
    SchemaPastError,
    SchemaUnmanagedError,
)
from alembic_boot.history.history import History, Target
from alembic_boot.state.edits import Replaced
from alembic_boot.state.inspection import DatabaseFacts, Inspection, SchemaState, inspect
from alembic_boot.state.journal import Journal
from alembic_boot.state.journal_rows import Applied, Unfinished
from alembic_boot.state.plan import Action, Plan, decide, harmful_step
from alembic_boot.state.refusals import refuse_partial_commit
from tests.boot.history.graphs import LINE
from tests.boot.state.situations import situations

TABLES = ("books", "pages", "dialogues", "users", "translations")

HEAD = Target("003", ("003",))
SECOND = Target("002", ("002",))
BASE = Target("base", ())


def inspection(
    state: SchemaState,
    current: tuple[str, ...] = (),
    target: Target = HEAD,
    pending: tuple[str, ...] = (),
    beyond: tuple[str, ...] = (),
    unknown: tuple[str, ...] = (),
    tables: tuple[str, ...] = (),
) -> Inspection:
    return Inspection(state, current, target, ("003",), pending, beyond, unknown, tables)


EMPTY = inspection(SchemaState.EMPTY, pending=("001", "002", "003"))
EMPTY_AT_BASE = inspection(SchemaState.EMPTY, target=BASE)
BEHIND = inspection(SchemaState.BEHIND, ("002",), pending=("003",), tables=TABLES)
CURRENT = inspection(SchemaState.CURRENT, ("003",), tables=TABLES)
PAST = inspection(SchemaState.PAST, ("003",), SECOND, beyond=("003",), tables=TABLES)
PAST_BASE = inspection(
    SchemaState.PAST, ("003",), BASE, beyond=("003", "002", "001"), tables=TABLES
)
UPGRADE_LAST = Plan(Action.UPGRADE, ("003",))
PARTIAL_COMMIT = Unfinished(7, "003", "upgrade", None, "UPDATE books")
EXPANDED = inspection(SchemaState.AHEAD, ("004",), unknown=("004",), tables=TABLES)
CONTRACTED = replace(EXPANDED, contracting=("004",))


@pytest.mark.parametrize(
    ("found", "rollback", "expected"),
    [
        (EMPTY, False, Plan(Action.UPGRADE, ("001", "002", "003"))),
        (EMPTY, True, Plan(Action.UPGRADE, ("001", "002", "003"))),
        (EMPTY_AT_BASE, False, Plan(Action.NOTHING)),
        (EMPTY_AT_BASE, True, Plan(Action.NOTHING)),
        (BEHIND, False, Plan(Action.UPGRADE, ("003",))),
        (BEHIND, True, Plan(Action.UPGRADE, ("003",))),
        (CURRENT, False, Plan(Action.NOTHING)),
        (CURRENT, True, Plan(Action.NOTHING)),
        (inspection(SchemaState.UNMANAGED, tables=TABLES), False, Plan(Action.ADOPT)),
        (PAST, True, Plan(Action.DOWNGRADE, ("003",))),
        (PAST_BASE, True, Plan(Action.DOWNGRADE, ("003", "002", "001"))),
        (
            EXPANDED,
            False,
            Plan(
                Action.NOTHING,
                warnings=(
                    "The database is at 004, ahead of this release, whose head is 003. The "
                    "journal marks the additional revisions (004) as expand, so this release works "
                    "on the schema.",
                ),
            ),
        ),
    ],
)
def test_what_is_done(found: Inspection, rollback: bool, expected: Plan) -> None:
    """Up to the target without asking; down only where that was asked for."""
    assert expected == decide(found, rollback=rollback)


BOTH = (False, True)

DISPOSAL = "run `rm -r data`"

APPLIED = Applied("003", ("002",), is_expand=True, host="laptop", app_version="1.4")
EDITED = Replaced(APPLIED, "003.py", ("002",), is_same_upgrade=False, is_same_revision=False)
MOVED = replace(EDITED, parents=("001",))


def edited(found: Inspection, replaced: Replaced) -> Inspection:
    return replace(found, state=SchemaState.DIVERGED, replaced=(replaced,))


@pytest.mark.parametrize("found", [BEHIND, CURRENT, PAST, EXPANDED])
@pytest.mark.parametrize("disposal", [None, DISPOSAL])
def test_a_revision_that_was_replaced(found: Inspection, disposal: str | None) -> None:
    """Nothing is done with a database that has another revision than the file describes."""
    plan = decide(edited(found, EDITED), rollback=False, disposal=disposal)
    assert (plan.action, plan.steps) == (Action.REFUSE, ())
    assert plan.refusal is not None
    assert plan.refusal.exit_status == 9


@pytest.mark.parametrize(
    ("found", "other", "disposal", "action"),
    [
        (PAST, EDITED, DISPOSAL, Action.DOWNGRADE),
        (PAST, EDITED, None, Action.REFUSE),
        (PAST, MOVED, DISPOSAL, Action.REFUSE),
        (CURRENT, EDITED, DISPOSAL, Action.REFUSE),
        (EXPANDED, EDITED, DISPOSAL, Action.REFUSE),
    ],
)
def test_the_way_down_from_there(
    found: Inspection, other: Replaced, disposal: str | None, action: Action
) -> None:
    """Only in development people may go down: the file's downgrade() may fit, or fail whole.

    From a revision that was moved it would lead to one that was never applied.
    """
    plan = decide(edited(found, other), rollback=True, disposal=disposal)
    assert plan.action is action
    if action is Action.DOWNGRADE:
        assert plan.steps == ("003",)
        assert plan.warnings[0].startswith("003.py was edited after it was applied, or ")


@pytest.mark.parametrize(
    ("found", "ways", "kind", "status", "sentence"),
    [
        (
            PAST,
            (False,),
            SchemaPastError,
            7,
            "The database is at 003, beyond the target 002. Set MIGRATION_TARGET=003 to stay "
            "there, leave it out to go up to head, or run `inv rollback --target 002` (or "
            "MIGRATION_ROLLBACK=true) to go down.",
        ),
        (
            PAST_BASE,
            (False,),
            SchemaPastError,
            7,
            "The database is at 003, beyond the target base. Set MIGRATION_TARGET=003 to stay "
            "there, leave it out to go up to head, or run `inv rollback --target base` (or "
            "MIGRATION_ROLLBACK=true) to go down.",
        ),
        (
            CONTRACTED,
            BOTH,
            SchemaAheadError,
            7,
            "The database is at 004, ahead of this release, whose head is 003, and 004 is not "
            "journalled as expand. Deploy the release that has it, or roll the database back with "
            "that release. Nothing was changed.",
        ),
        (
            EXPANDED,
            (True,),
            SchemaAheadError,
            7,
            "The database is at 004, ahead of this release, whose head is 003, which cannot take "
            "back what it does not know. Deploy the release that has it, or roll the database "
            "back with that release. Nothing was changed.",
        ),
        (
            replace(
                inspection(SchemaState.DIVERGED, ("002", "009"), unknown=("009",), tables=TABLES),
                staying=("001", "002"),
            ),
            BOTH,
            SchemaDivergedError,
            7,
            "The database is at 002, 009, and 009 is not in this release's history, whose head is "
            "003. Deploy the release that has that revision, or restore a database that belongs to "
            "this one. If revisions were squashed or renamed, `inv adopt --dry-run` says which one "
            "the schema is. Nothing was changed.",
        ),
        (
            inspection(
                SchemaState.DIVERGED, ("e5",), unknown=("a1", "b2", "c3", "d4", "e5"), tables=TABLES
            ),
            BOTH,
            SchemaDivergedError,
            7,
            "The database is at e5, and a1, b2, c3 and 2 more are not in this release's history, "
            "whose head is 003. Deploy the release that has that revision, or restore a database "
            "that belongs to this one. If revisions were squashed or renamed, `inv adopt "
            "--dry-run` says which one the schema is. If another history uses this database, give "
            "each its own version_table in env.py. Nothing was changed.",
        ),
        (
            replace(
                inspection(SchemaState.DIVERGED, ("b2",), unknown=("b1", "b2"), tables=TABLES),
                unknown_rows=(Applied("b2", ("b1",), False), Applied("b1", (), False)),
            ),
            (True,),
            SchemaDivergedError,
            7,
            "The database is at b2, and b1, b2 are not in this release's history, whose head is "
            "003. If another history uses this database, give each its own version_table in "
            "env.py. Deploy the release that has that revision, or restore a database that belongs "
            "to this one. If revisions were squashed or renamed, `inv adopt --dry-run` says which "
            "one the schema is. Nothing was changed.",
        ),
        (
            replace(
                inspection(SchemaState.DIVERGED, ("001", "003"), tables=TABLES), is_twofold=True
            ),
            BOTH,
            SchemaDivergedError,
            7,
            "The database is at 001, 003, and one of these is the ancestor of another, or is "
            "recorded twice. Deploy the release that has that revision, or restore a database that "
            "belongs to this one. If revisions were squashed or renamed, `inv adopt --dry-run` "
            "says which one the schema is. Nothing was changed.",
        ),
        (
            inspection(
                SchemaState.DIVERGED, ("b1",), Target("c1", ("c1",)), ("c1",), ("b1",), (), TABLES
            ),
            BOTH,
            SchemaDivergedError,
            7,
            "The database is at b1, and that and the target c1 lie on different branches. Set "
            "MIGRATION_TARGET=heads to have both branches, or to a revision that joins them, as "
            "`inv merge` writes it. Nothing was changed.",
        ),
        (
            inspection(SchemaState.UNMANAGED, pending=("001", "002", "003"), tables=TABLES),
            (True,),
            SchemaUnmanagedError,
            8,
            "The database has tables (books, pages, dialogues, users, translations) but no "
            "revision recorded. See with `inv adopt --dry-run` whether it is at one, and record "
            "it with `inv adopt`. If none of these tables belongs to this history: "
            "`inv stamp --revision base`. Nothing was changed.",
        ),
        (
            inspection(SchemaState.UNMANAGED, tables=(*TABLES, "a", "b")),
            (True,),
            SchemaUnmanagedError,
            8,
            "The database has tables (books, pages, dialogues, users, translations and 2 more) but "
            "no revision recorded. See with `inv adopt --dry-run` whether it is at one, and record "
            "it with `inv adopt`. If none of these tables belongs to this history: "
            "`inv stamp --revision base`. Nothing was changed.",
        ),
    ],
)
def test_what_is_refused(
    found: Inspection, ways: tuple[bool, ...], kind: type[BootError], status: int, sentence: str
) -> None:
    """A refusal runs nothing, names both sides and says what to do."""
    for rollback in ways:
        plan = decide(found, rollback=rollback)
        assert plan.refusal is not None
        assert (Action.REFUSE, (), kind, status, sentence) == (
            plan.action,
            plan.steps,
            type(plan.refusal),
            plan.refusal.exit_status,
            str(plan.refusal),
        )


@pytest.mark.parametrize(
    ("plan", "attempt", "is_harmful"),
    [
        (UPGRADE_LAST, PARTIAL_COMMIT, True),
        (UPGRADE_LAST, replace(PARTIAL_COMMIT, committed=""), False),
        (UPGRADE_LAST, replace(PARTIAL_COMMIT, file_sha256="of another file"), False),
        (UPGRADE_LAST, replace(PARTIAL_COMMIT, direction="downgrade"), False),
        (UPGRADE_LAST, replace(PARTIAL_COMMIT, revision="002"), False),
        (Plan(Action.NOTHING), PARTIAL_COMMIT, False),
        (
            Plan(Action.DOWNGRADE, ("003", "002")),
            replace(PARTIAL_COMMIT, direction="downgrade"),
            True,
        ),
    ],
)
def test_a_step_that_has_committed_a_part(
    plan: Plan, attempt: Unfinished, is_harmful: bool
) -> None:
    """It is not repeated, unless a person has changed its file since."""
    other = Unfinished(6, "001", "upgrade", None, "DROP TABLE books")
    assert harmful_step(plan, (other, attempt), LINE) == (attempt if is_harmful else None)


@pytest.mark.parametrize(
    ("direction", "by_hand"),
    [
        ("upgrade", "finish the revision by hand and say so with `inv stamp --revision 003`"),
        ("downgrade", "finish the revision by hand"),
    ],
)
def test_the_refusal_of_a_committed_part(direction: str, by_hand: str) -> None:
    """It says how a person tells that the part is taken back, or that the rest is done."""
    attempt = replace(PARTIAL_COMMIT, direction=direction)
    refusal = refuse_partial_commit(attempt, LINE, Journal(VersionTable("versions", "books")))
    assert (refusal.exit_status, str(refusal)) == (
        5,
        "Migration 003 was interrupted after it had committed a part of itself (UPDATE books), "
        "which may do harm if it is repeated. Take that part back and say so with `DELETE FROM "
        f'"books"."schema_journal" WHERE id = 7`, or {by_hand}, or change the file so that it can '
        "be run again. Nothing was changed.",
    )


def test_every_state_and_way_has_a_plan() -> None:
    """The table has no gap: every state has an answer, whether rolling back or not."""
    plans = [
        decide(inspection(state, ("003",)), rollback=rollback)
        for state in SchemaState
        for rollback in BOTH
    ]
    assert [
        plan for plan in plans if (plan.action is Action.REFUSE) is (plan.refusal is None)
    ] == []


@settings(deadline=None, max_examples=50)
@given(situations(), st.booleans())
def test_a_plan_leads_to_the_target(
    situation: tuple[DatabaseFacts, History, Target], rollback: bool
) -> None:
    """Whatever the facts: what a plan runs is all that is missing, or all that is too much."""
    found = inspect(*situation)
    plan = decide(found, rollback=rollback)
    steps = {
        Action.UPGRADE: found.pending,
        Action.DOWNGRADE: found.beyond,
        Action.ADOPT: (),
        Action.NOTHING: (),
        Action.REFUSE: (),
    }
    assert steps[plan.action] == plan.steps
    assert (plan.action is Action.REFUSE) is (plan.refusal is not None)
    if plan.action is Action.NOTHING:
        assert (found.pending, found.beyond, found.unknown) == ((), (), ())
    if plan.action is Action.DOWNGRADE:
        assert rollback
    if plan.action is Action.UPGRADE:
        assert found.beyond == ()
    if plan.refusal is not None:
        assert plan.refusal.exit_status in (7, 8)


def test_two_looks_at_the_same_facts_agree() -> None:
    """Deciding has no memory: the same facts give the same plan, and leave the facts alone."""
    facts = DatabaseFacts(("001",), TABLES)
    first, second = (decide(inspect(facts, LINE, HEAD), rollback=False) for _ in range(2))
    assert first == second
    assert DatabaseFacts(("001",), TABLES) == facts
