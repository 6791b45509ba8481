"""The loop, with revisions that are functions: transactions, rows, retries, early commits."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from types import ModuleType

import pytest
from alembic.operations import Operations
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alembic_boot.environment.session import MigrationSession
from alembic_boot.errors import ConfigurationError, LockLostError, MigrationFailedError
from alembic_boot.polling import poll
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.postgres.connection import connected
from alembic_boot.running import loop, takeover
from alembic_boot.running.early_commits import EarlyCommits
from alembic_boot.running.lock_check import LockCheck
from alembic_boot.running.preparation import carrying
from alembic_boot.running.traffic import Traffic
from alembic_boot.running.transaction import RevisionTransaction, TransactionLeftError
from alembic_boot.state.journal import Journal
from tests.boot.running.revisions_in_process import Place, Upgrade, place, sql
from tests.cluster import Cluster

DRIVERS = ("psycopg2", "psycopg")


@pytest.fixture(params=DRIVERS)
def here(request: pytest.FixtureRequest, database_url: str) -> Place:
    """Give an empty database, to be reached by each of the drivers."""
    return place(database_url, driver=request.param)


@pytest.fixture
def there(database_url: str) -> Place:
    """Give an empty database, by psycopg2."""
    return place(database_url)


def test_a_callback_of_env_py_that_commits(there: Place) -> None:
    """It commits the version row and the journal's row together."""
    there.on_version_apply = lambda ctx, **_: ctx.connection.commit()
    there.run(a=sql("CREATE TABLE a ()"), b=sql("CREATE TABLE b ()"))
    assert (there.tables, there.version) == (["a", "b"], "b")
    assert there.journal == ["a applied", "b applied"]


def test_nothing_of_ours_is_taken_for_env_pys(
    there: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What env.py has set for its transaction is set in each; what boot sets is not."""
    carried: list[tuple[str, ...]] = []

    def spy(session: MigrationSession) -> tuple[str, ...]:
        carried.append(carrying(session))
        return carried[-1]

    monkeypatch.setattr(loop, "carrying", spy)
    there.run(a=sql("CREATE TABLE a ()"))
    assert carried == [()]


def fail(_op: Operations) -> None:
    """Fail as a revision's own code does."""
    raise ZeroDivisionError


def both(first: Upgrade, then: Upgrade) -> Upgrade:
    """Return a revision that does two things."""

    def upgrade(op: Operations) -> None:
        first(op)
        then(op)

    return upgrade


def test_each_revision_has_a_transaction(here: Place) -> None:
    """The table, the version row and the journal row of a revision have one transaction."""
    here.run(a=sql("CREATE TABLE a AS SELECT 1 AS x"), b=sql("CREATE TABLE b AS SELECT 1 AS x"))
    assert (here.tables, here.version, here.journal) == (
        ["a", "b"],
        "b",
        ["a applied", "b applied"],
    )
    assert here.ask(
        "SELECT (SELECT xmin::text FROM b) = (SELECT xmin::text FROM alembic_version)"
        " AND (SELECT xmin::text FROM b) = (SELECT xmin::text FROM schema_journal"
        "                                    WHERE revision = 'b')"
    )


def test_a_revision_that_fails_takes_only_itself_back(here: Place) -> None:
    """Its rows and its table are gone, and the journal says that it failed."""
    with pytest.raises(ZeroDivisionError):
        here.run(a=sql("CREATE TABLE a ()"), b=both(sql("CREATE TABLE b ()"), fail))
    assert (here.tables, here.version, here.journal) == (["a"], "a", ["a applied", "b failed"])
    here.run(a=fail, b=sql("CREATE TABLE b ()"))
    assert (here.version, here.journal[-1]) == ("b", "b applied")


def commit_through_bind(op: Operations) -> None:
    """Commit as people do before an autocommit block."""
    op.get_bind().commit()


def commit_and_begin(op: Operations) -> None:
    """Commit, and do a little in another transaction."""
    op.get_bind().commit()
    with op.get_bind().begin():
        op.execute("SELECT 1")


def commit_through_session(op: Operations) -> None:
    """Commit by way of the ORM."""
    with Session(op.get_bind(), join_transaction_mode="control_fully") as session:
        session.execute(text("SELECT 1"))
        session.commit()


def commit_and_use_a_cursor(op: Operations) -> None:
    """Commit, and go on below SQLAlchemy, which does not notice that a transaction begins."""
    bind = op.get_bind()
    bind.commit()
    bind.connection.cursor().execute("CREATE TABLE IF NOT EXISTS raw ()")


LEAVES: dict[str, Upgrade] = {
    "SQL": sql("COMMIT"),
    "SQL, and goes on": sql("COMMIT", "SELECT 1"),
    "SQL with a comment": sql("/* it is /* really */ so */ COMMIT"),
    "END": sql("END"),
    "bind": commit_through_bind,
    "bind, and goes on": both(commit_through_bind, sql("SELECT 1")),
    "bind, and begins": commit_and_begin,
    "session": commit_through_session,
    "bind, and a cursor": commit_and_use_a_cursor,
}


@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES.keys())
@pytest.mark.parametrize("is_real", [True, False], ids=["real", "scratch"])
def test_a_revision_may_commit_itself(here: Place, leave: Upgrade, is_real: bool) -> None:
    """It is applied then, for good, and the next one has a transaction of its own."""
    run = here.run if is_real else here.run_on_scratch
    with pytest.raises(ZeroDivisionError):
        run(a=both(sql("CREATE TABLE a ()"), leave), b=both(sql("CREATE TABLE b ()"), fail))
    assert (set(here.tables) - {"raw"}, here.version) == ({"a"}, "a")
    if is_real:
        assert here.journal == ["a applied", "b failed"]


def roll_back(op: Operations) -> None:
    """Roll back by way of SQLAlchemy."""
    op.get_bind().rollback()


def test_a_commit_is_noticed(there: Place) -> None:
    """The version row of a revision that says COMMIT is committed before the next one begins."""
    with pytest.raises(ZeroDivisionError):
        there.run(a=sql("CREATE TABLE a ()", "COMMIT", "SELECT 1"), b=fail)
    assert there.journal == ["a applied", "b failed"]
    assert there.ask(
        "SELECT (SELECT xmin::text FROM alembic_version) ="
        " (SELECT xmin::text FROM schema_journal WHERE revision = 'a')"
    )


UNDOES: dict[str, Upgrade] = {
    "SQL": sql("ROLLBACK"),
    "bind": roll_back,
    "bind, and goes on": both(roll_back, sql("SELECT 1")),
}


@pytest.mark.parametrize("undo", UNDOES.values(), ids=UNDOES.keys())
@pytest.mark.parametrize("is_real", [True, False], ids=["real", "scratch"])
def test_what_was_rolled_back_is_not_applied(here: Place, undo: Upgrade, is_real: bool) -> None:
    """A revision that takes its own work back is none that can be recorded."""
    run = here.run if is_real else here.run_on_scratch
    with pytest.raises(TransactionLeftError):
        run(a=sql("CREATE TABLE a ()"), b=both(sql("CREATE TABLE b ()"), undo))
    assert (here.tables, here.version) == (["a"], "a")


def block(op: Operations) -> None:
    """Make an index outside of any transaction."""
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY ix ON a (x)")


TABLE = sql("CREATE TABLE a (x int)")


@pytest.mark.parametrize("is_real", [True, False], ids=["real", "scratch"])
@pytest.mark.parametrize(
    "revision",
    [both(TABLE, block), both(both(TABLE, commit_through_bind), block)],
    ids=["as Alembic wants it", "committing first"],
)
def test_autocommit_blocks(here: Place, revision: Upgrade, is_real: bool) -> None:
    """Real histories have both."""
    (here.run if is_real else here.run_on_scratch)(a=revision, b=sql("CREATE TABLE b ()"))
    assert (here.tables, here.version) == (["a", "b"], "b")
    assert here.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix'::regclass")


def test_a_transaction_that_env_py_has_begun(here: Place) -> None:
    """All is one unit until a revision commits; Alembic does the same."""
    here.before_configuring = ["SET statement_timeout = '1min'"]
    here.run(a=TABLE, b=both(commit_through_bind, block), c=sql("CREATE TABLE c ()"))
    assert (here.tables, here.version) == (["a", "c"], "c")
    assert here.journal == ["a applied", "b applied", "c applied"]


def test_one_unit_is_rolled_back_as_a_whole(here: Place) -> None:
    """Nothing stays of it, and the journal says so."""
    here.before_configuring = ["SELECT 1"]
    with pytest.raises(ZeroDivisionError):
        here.run(a=TABLE, b=fail)
    assert (here.tables, here.journal) == ([], ["a failed", "b failed"])


_IS_WAITING = """
SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE NOT l.granted AND a.datname = current_database()
"""


@contextmanager
def holding(there: Place, statement: str, seconds: float) -> Iterator[None]:
    """Hold what a statement locks in another session, for some seconds after somebody waits."""
    has_begun, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with connected(there.url) as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(statement)
            has_begun.set()
            poll(lambda: is_over.is_set() or there.ask(_IS_WAITING), 30, 0.02)
            is_over.wait(seconds)
            cursor.execute("COMMIT")

    holder = threading.Thread(target=hold)
    holder.start()
    assert has_begun.wait(30)
    try:
        yield
    finally:
        is_over.set()
        holder.join()


@pytest.mark.parametrize(
    "statement",
    ["ALTER TABLE a ADD COLUMN y int", "UPDATE a SET x = 2"],
    ids=["table", "rows"],
)
def test_a_blocked_revision_is_tried_again(there: Place, statement: str) -> None:
    """As a whole: what it did in a try before is rolled back."""
    there.run(a=sql("CREATE TABLE a AS SELECT 1 AS x", "CREATE TABLE done (n int)"))
    with holding(there, "UPDATE a SET x = 3", 0.7):
        there.run(b=sql("INSERT INTO done VALUES (1)", statement))
    assert (there.version, there.ask("SELECT count(*) FROM done")) == ("b", 1)
    assert there.journal == ["a applied", "b applied"]


def test_a_blocked_revision_is_tried_again_in_short(there: Place) -> None:
    """The same, for a table."""
    test_a_blocked_revision_is_tried_again(there, "ALTER TABLE a ADD COLUMN y int")


def test_the_budget_ends(there: Place) -> None:
    """Then the revision has failed, and nothing of it is there."""
    there.budget = 0.5
    there.run(a=TABLE)
    with (
        holding(there, "LOCK TABLE a", 2),
        pytest.raises(MigrationFailedError, match=r"Migration b .*more than 0\.5 s"),
    ):
        there.run(b=sql("CREATE TABLE b ()", "ALTER TABLE a ADD COLUMN y int"))
    assert (there.tables, there.version, there.journal[-1]) == (["a"], "a", "b failed")


def test_a_revision_that_catches_our_timeout_is_not_applied(there: Place) -> None:
    """It would go on without what it has waited for."""
    there.run(a=TABLE)

    def catching(op: Operations) -> None:
        try:
            with op.get_bind().begin_nested():
                op.execute("ALTER TABLE a ADD COLUMN y int")
        except DBAPIError:
            pass

    there.budget = 0.5
    with holding(there, "LOCK TABLE a", 2), pytest.raises(MigrationFailedError):
        there.run(b=catching)
    assert there.version == "a"


def losing(there: Place) -> Upgrade:
    """Return a revision during which the session that holds the lock is ended."""

    def upgrade(_op: Operations) -> None:
        assert there.lock is not None
        pid = there.lock.connection.info.backend_pid
        there.tell(f"SELECT pg_terminate_backend({pid}, 5000)")

    return upgrade


def test_nothing_is_applied_without_the_lock(there: Place) -> None:
    """The last look is in the transaction of the version row."""
    with pytest.raises((LockLostError, DBAPIError)):
        there.run(a=TABLE, b=both(sql("CREATE TABLE b ()"), losing(there)))
    assert (there.tables, there.version) == (["a"], "a")


def test_no_statement_commits_itself_without_the_lock(there: Place) -> None:
    """It is looked at before each of them."""

    def upgrade(op: Operations) -> None:
        with op.get_context().autocommit_block():
            losing(there)(op)
            op.execute("CREATE TABLE b ()")

    with pytest.raises((LockLostError, DBAPIError)):
        there.run(a=TABLE, b=upgrade)
    assert there.tables == ["a"]


def test_what_is_committed_early_is_noted(there: Place) -> None:
    """The next start does not do it once more; a statement that may run twice is not noted."""

    def upgrade(op: Operations) -> None:
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON a (x)")
            op.execute("INSERT INTO a VALUES (1)")
            op.execute("SELECT 1 / 0")

    with pytest.raises(DBAPIError):
        there.run(a=TABLE, b=upgrade)
    noted = there.ask("SELECT coalesce(committed, '') FROM schema_journal WHERE revision = 'b'")
    assert noted.startswith("INSERT INTO a ")
    assert "ix" not in noted
    with pytest.raises(MigrationFailedError, match="may do harm"):
        there.run(b=upgrade)
    assert there.ask("SELECT count(*) FROM a") == 1


def test_a_session_of_another_database_is_refused(cluster: Cluster, there: Place) -> None:
    """The lock is seen from the right database alone."""
    with cluster.database() as name:
        there.goes_to = place(cluster.url(name))
        with pytest.raises(ConfigurationError, match="another database"):
            there.run(a=TABLE)
        assert there.goes_to.ask("SELECT count(*) FROM pg_class WHERE relname = 'a'") == 0


def test_a_session_of_a_dead_starter_is_ended(there: Place) -> None:
    """It might still change something, so it is over before the next starter goes on."""
    there.run(a=TABLE)
    with connected(there.url) as left:
        key = AdvisoryKey.random()
        left.cursor().execute("SELECT pg_advisory_lock(%s)", (key.number,))
        there.tell(
            "INSERT INTO schema_journal (version_table, revision, direction, phase, status,"
            " started_at, host, pid, session_key) SELECT version_table, 'b', 'upgrade', 'expand',"
            f" 'running', now(), 'another', 1, {key.number} FROM schema_journal LIMIT 1"
        )
        there.run(b=sql("CREATE TABLE b ()"))
        assert there.ask(f"SELECT NOT EXISTS ({key.holder_query})")
    assert there.journal == ["a applied", "b failed", "b applied"]


def test_each_revision_is_announced_by_the_one_before(here: Place) -> None:
    """Other sessions see who is at work, and the row costs no transaction of its own."""
    seen: list[object] = []

    def look(op: Operations) -> None:
        op.execute("SELECT 1")
        seen.extend(here.journal)
        rows = "FROM schema_journal WHERE revision IN ('b', 'c')"
        seen.append(here.ask(f"SELECT count(DISTINCT xmin::text) {rows}"))
        seen.append(here.ask(f"SELECT count(DISTINCT started_at) {rows}"))

    here.run(a=TABLE, b=sql("SELECT 1"), c=look)
    assert seen == ["a applied", "b applied", "c running", 1, 2]


def test_a_revision_that_never_begins_has_failed(there: Place) -> None:
    """Its row was written with the revision before it."""
    there.on_version_apply = lambda step, **_: (
        pytest.fail("b") if step.up_revision_id == "b" else None
    )
    with pytest.raises(pytest.fail.Exception):
        there.run(a=TABLE, b=sql("CREATE TABLE b ()"), c=sql("SELECT 1"))
    assert there.journal == ["a applied", "b failed"]


def test_a_statement_without_parameters_has_a_limit(there: Place) -> None:
    """SQLAlchemy sends it by another way. No SQL for it is sent with a later statement."""
    found: list[object] = []

    def upgrade(op: Operations) -> None:
        bind = op.get_bind()
        bind.execution_options(no_parameters=True)
        bind.exec_driver_sql("INSERT INTO a SELECT generate_series(1, 3) WHERE '%' <> 'x'")
        found.append(bind.exec_driver_sql("SHOW lock_timeout").scalar())
        bind.execution_options(no_parameters=False, stream_results=True)
        found.extend(bind.exec_driver_sql("SELECT x FROM a ORDER BY x").scalars())
        bind.execution_options(stream_results=False)
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY ix ON a (x)")

    there.run(a=TABLE, b=upgrade)
    assert found == ["15s", 1, 2, 3]
    assert there.version == "b"


@pytest.mark.parametrize(
    ("statement", "is_limited"),
    [
        ("INSERT INTO notes VALUES ('about lock_timeout')", True),
        ("SELECT 'lock_timeout'", True),
        ("SET LOCAL lock_timeout = '3s'", False),
        ("SELECT set_config('lock_timeout', '3s', true)", False),
    ],
)
def test_only_a_setting_takes_the_limit_away(
    there: Place, statement: str, is_limited: bool
) -> None:
    """Text that mentions the setting is data like any other."""
    found: list[object] = []

    def upgrade(op: Operations) -> None:
        op.execute("CREATE TABLE notes (text text)")
        op.execute(statement)
        op.execute("ALTER TABLE notes ADD y int")
        found.append(
            op.get_bind().exec_driver_sql("SELECT current_setting('lock_timeout')").scalar()
        )

    there.run(a=upgrade)
    assert (found != ["3s"]) is is_limited


def test_env_py_that_runs_the_migrations_again_leaves_no_row_behind(there: Place) -> None:
    """It has caught the error of a revision, and the next try is a row of its own."""
    tries: list[int] = []

    def upgrade(op: Operations) -> None:
        tries.append(1)
        op.execute("CREATE TABLE b ()" if len(tries) > 1 else "SELECT 1 / 0")

    there.times = 2
    there.run(a=TABLE, b=upgrade)
    assert there.journal == ["a applied", "b failed", "b applied"]


def nothing(*_arguments: object, **_keywords: object) -> None:
    """Do nothing."""


def unmarked(journal: Journal, rows: Sequence[int], _condition: str) -> str:
    """Return SQL that leaves running rows as they are."""
    ids = ", ".join(map(str, rows))
    return f"UPDATE {journal.table} SET status = status WHERE id IN ({ids})"


MECHANISMS: dict[str, tuple[type | ModuleType, str, object, Callable[..., None]]] = {
    "the lock is looked at in the transaction of the version row": (
        *(LockCheck, "condition", "true"),
        test_nothing_is_applied_without_the_lock,
    ),
    "the lock is looked at before a statement that commits itself": (
        *(LockCheck, "require", lambda _self, *columns, **_: ("",) * len(columns)),
        test_no_statement_commits_itself_without_the_lock,
    ),
    "sessions of dead starters are ended": (
        *(takeover, "end_abandoned", nothing),
        test_a_session_of_a_dead_starter_is_ended,
    ),
    "the journal's row is written with the version row": (
        *(Journal, "applied_statement", unmarked),
        test_each_revision_has_a_transaction,
    ),
    "a blocked revision is tried again": (
        *(Traffic, "has_blocked", lambda *_: False),
        test_a_blocked_revision_is_tried_again_in_short,
    ),
    "a wait that was ended and caught is no success": (
        *(Traffic, "require_whole", nothing),
        test_a_revision_that_catches_our_timeout_is_not_applied,
    ),
    "what is committed early is noted": (
        *(EarlyCommits, "committing", nothing),
        test_what_is_committed_early_is_noted,
    ),
    "a revision that left its transaction comes back into one": (
        *(RevisionTransaction, "rejoin", nothing),
        test_a_commit_is_noticed,
    ),
    "env.py's database is the locked one": (
        *(MigrationSession, "refuse_other_database", nothing),
        test_a_session_of_another_database_is_refused,
    ),
}
"""What holds a guarantee, what takes its place, and the test that fails then."""


@pytest.mark.parametrize("guarantee", MECHANISMS)
def test_without_its_mechanism_a_guarantee_fails(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster, there: Place, guarantee: str
) -> None:
    """A test that cannot fail proves nothing."""
    owner, name, replacement, check = MECHANISMS[guarantee]
    monkeypatch.setattr(owner, name, replacement)
    given = {"cluster": cluster, "there": there, "here": there}
    wanted = {name: given[name] for name in signature(check).parameters}
    with pytest.raises((AssertionError, pytest.fail.Exception, DBAPIError, MigrationFailedError)):
        check(**wanted)
