"""What is collected from a real project and a real database."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alembic_boot.output import masking
from alembic_boot.postgres import advisory
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.situation import note
from alembic_boot.state.readiness import Readiness
from alembic_boot.status_page.answers import as_json, draw, view_of
from alembic_boot.status_page.collecting import Collecting, Sources
from alembic_boot.status_page.render import page
from alembic_boot.status_page.report import Condition, Report, RevisionDetail
from alembic_boot.status_page.requests import Request
from alembic_boot.status_page.revisions import MOST_REVISIONS
from alembic_boot.status_page.runs import ROWS
from alembic_boot.status_page.sessions import grouped
from alembic_boot.status_page.sql import RevisionSql
from backend.settings import load_settings
from tests.boot.in_process import Theirs, theirs
from tests.cluster import OWNER, PASSWORD, Cluster, free_port
from tests.waiting import SOON

NO_FILE = Path("/nonexistent/.env")

KEY = AdvisoryKey.named("schema", "public", "alembic_version")

JOURNAL = (
    "INSERT INTO schema_journal (version_table, revision, down_revision, direction, phase, status,"
    " started_at, host, pid, error) VALUES ('public.alembic_version', '{0}', '{1}', 'upgrade',"
    " 'expand', '{2}', now(), 'h', 1, {3});"
)


@pytest.fixture(autouse=True)
def after_the_boot() -> None:
    """Forget the boot of another test in this process."""
    note(is_booting=False)


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster, database: str) -> Theirs:
    """Give a project of three revisions, and its empty database."""
    made = theirs(tmp_path, cluster.url(database))
    made.project.revision("a1")
    child = "CREATE TABLE t_b2 (id int PRIMARY KEY REFERENCES t_a1 (id))"
    made.project.revision("b2", "a1", f"op.execute({child!r})")
    made.project.revision("c3", "b2", constants='phase = "expand"')
    return made


def collecting(project: Theirs, url: str | None = None, **facts: Any) -> Collecting:
    variables = {"DATABASE_URL": url or project.url, "ALEMBIC_CONFIG": str(project.project.config)}
    boot = load_settings({**variables, **project.variables}, NO_FILE).description()
    return Collecting(boot, "books", Sources(lambda: facts))


def collect(project: Theirs, page: int = 1, url: str | None = None, **facts: Any) -> Report:
    found = collecting(project, url, **facts)([page])[page]
    assert isinstance(found, Report)
    return found


def statuses(report: Report) -> dict[str, str]:
    return {it.id: it.status.value for it in report.revisions or ()}


def test_an_empty_database(project: Theirs) -> None:
    found = collect(project)
    assert (found.condition, found.state, found.target) == (Condition.UNAVAILABLE, "empty", "c3")
    assert statuses(found) == dict.fromkeys(("a1", "b2", "c3"), "pending")
    assert found.command == "inv migrate"
    assert (found.tables, found.problems) == ((), ())


def test_a_time_that_python_does_not_have(project: Theirs, cluster: Cluster, database: str) -> None:
    """The row is shown without it."""
    project.migrate(MIGRATION_TARGET="a1").assert_ok()
    cluster.execute("UPDATE schema_journal SET started_at = 'infinity'", database)
    found = collect(project)
    assert found.problems == ()
    assert found.journal is not None
    assert [it.started_at for it in found.journal.rows] == [None]


def test_a_history_that_only_alembic_can_read(project: Theirs) -> None:
    """A start does not read it: it may run its revisions at that time."""
    project.project.revision("d4", "c3", constants='branch_labels = ("later",)')
    collected = collecting(project)
    note(is_booting=True)
    found = collected([1])[1]
    assert isinstance(found, Report)
    assert (found.revisions, len(found.problems)) == (None, 1)
    note(is_booting=False)
    found = collected([1])[1]
    assert isinstance(found, Report)
    assert list(statuses(found)) == ["a1", "b2", "c3", "d4"]
    assert found.problems == ()


ALL = {"a1": "applied", "b2": "applied", "c3": "applied"}


@pytest.mark.parametrize(
    ("change", "state", "others"),
    [
        pytest.param("", "current", {}, id="current"),
        pytest.param(
            "UPDATE alembic_version SET version_num = 'b2';"
            "DELETE FROM schema_journal WHERE revision = 'c3'",
            "behind",
            {"c3": "pending"},
            id="behind",
        ),
        pytest.param("DROP TABLE alembic_version, schema_journal", "unmanaged", None, id="no-row"),
        pytest.param(
            JOURNAL.format("d4", "c3", "applied", "NULL")
            + "UPDATE alembic_version SET version_num = 'd4'",
            "ahead",
            {"d4": "unknown"},
            id="ahead",
        ),
        pytest.param(
            "UPDATE alembic_version SET version_num = 'zz'", "diverged", None, id="diverged"
        ),
        pytest.param(
            "UPDATE alembic_version SET version_num = 'b2';"
            + JOURNAL.format("c3", "b2", "failed", "'it broke'"),
            "behind",
            {"c3": "failed"},
            id="failed",
        ),
        pytest.param(
            "UPDATE alembic_version SET version_num = 'b2';"
            + JOURNAL.format("c3", "b2", "running", "NULL"),
            "behind",
            {"c3": "failed"},
            id="died",
        ),
    ],
)
def test_the_states(
    project: Theirs,
    cluster: Cluster,
    database: str,
    change: str,
    state: str,
    others: dict[str, str] | None,
) -> None:
    """Each as `inv status` has it, with what a start would do about it."""
    project.migrate().assert_ok()
    if change:
        cluster.execute(change, database)
    found = collect(project)
    assert found.state == state
    works = state in ("current", "ahead")
    assert found.condition is (Condition.READY if works else Condition.UNAVAILABLE)
    assert (found.reason is None) == (state == "current")
    if others is not None:
        assert statuses(found) == {**ALL, **others}
    assert found.problems == ()


def test_past_and_edited(project: Theirs) -> None:
    project.migrate().assert_ok()
    project.variables["MIGRATION_TARGET"] = "a1"
    found = collect(project)
    assert (found.state, found.target) == ("past", "a1")
    assert found.command == "inv rollback --target a1"
    assert statuses(found) == {"a1": "applied", "b2": "beyond", "c3": "beyond"}
    del project.variables["MIGRATION_TARGET"]
    look = collecting(project)
    look([1])
    file = project.project.versions / "b2_test.py"
    file.write_text(file.read_text().replace("int PRIMARY", "bigint PRIMARY"))
    found = look([1])[1]  # type: ignore[assignment]
    assert (found.state, statuses(found)["b2"]) == ("diverged", "edited")


def test_while_another_starter_runs_a_revision(
    project: Theirs, cluster: Cluster, database: str
) -> None:
    """A process that holds the lock is at work: its revision is not one that failed."""
    project.migrate(MIGRATION_TARGET="b2").assert_ok()
    cluster.execute(JOURNAL.format("c3", "b2", "running", "NULL"), database)
    with closing(cluster.connect(database)) as holder:
        holder.autocommit = True
        advisory.begin(holder)
        assert advisory.try_lock(holder, KEY)
        found = collect(project)
    assert statuses(found)["c3"] == "running"
    assert found.journal is not None
    assert [it.status for it in found.journal.rows] == ["running", "applied", "applied"]


@pytest.mark.parametrize(
    ("kind", "is_over"),
    [
        ("MigrationFailedError", False),
        ("SchemaDivergedError", True),
        ("SeveralHeadsError", True),
        ("SchemaUnmanagedError", True),
    ],
)
def test_a_failure_of_the_boot(project: Theirs, kind: str, is_over: bool) -> None:
    """One that each look finds anew is over when a look does not."""
    found = collect(project, failure="It failed.", cause="c3 failed.", command="fix", kind=kind)
    if is_over:
        sentence = "The schema is empty at base, and should be at c3: run `inv migrate`."
        assert found.reason == sentence
        assert found.command == "inv migrate"
    else:
        assert (found.reason, found.command) == ("c3 failed.", "fix")


def test_what_the_service_says(project: Theirs) -> None:
    """The page never contradicts it; its own look adds what is there to do."""
    project.migrate(MIGRATION_TARGET="b2").assert_ok()
    facts = {"failure": "It failed.", "cause": "c3 failed.", "command": "fix"}
    said = Readiness(ready=True, state="current")
    boot = collecting(project)._boot
    asked = Collecting(boot, "books", Sources(lambda: facts, lambda: said))

    def banner() -> tuple[Condition, str | None, str | None]:
        found = asked([1])[1]
        assert isinstance(found, Report)
        return found.condition, found.reason, found.command

    behind = "The schema is behind at b2, and should be at c3: run `inv migrate`."
    assert banner() == (Condition.READY, behind, "inv migrate")
    said = Readiness(ready=False, state="behind", reason="It failed.")
    assert banner() == (Condition.UNAVAILABLE, "c3 failed.", "fix")
    said = Readiness(ready=False, state="behind", reason="It is behind.")
    assert banner() == (Condition.UNAVAILABLE, behind, "inv migrate")
    project.migrate().assert_ok()
    said = Readiness(ready=False, state="current", reason="No column.")
    assert banner() == (Condition.UNAVAILABLE, "No column.", None)
    said = Readiness(ready=True, state="current", reason="Slow.")
    assert banner() == (Condition.DEGRADED, "Slow.", None)


def test_a_problem_of_now_comes_before_a_failure_of_the_boot(
    project: Theirs, cluster: Cluster, database: str
) -> None:
    project.migrate().assert_ok()
    with closing(cluster.connect(database)) as other:
        other.cursor().execute("BEGIN; LOCK TABLE alembic_version")
        found = collect(project, failure="It failed.", command="fix", kind="MigrationFailedError")
    assert found.reason == found.problems[0]
    assert found.command is None


def test_two_heads(project: Theirs) -> None:
    """The graph is there, and what helps."""
    project.migrate().assert_ok()
    project.project.revision("x3", "b2")
    found = collect(project)
    assert statuses(found) == {**ALL, "x3": "pending"}
    assert "2 heads" in (found.reason or "")
    assert found.command == "inv merge --message 'Join c3 and x3'"


def test_tables_sessions_and_history(project: Theirs, cluster: Cluster, database: str) -> None:
    project.migrate().assert_ok()
    with closing(cluster.connect(database)) as session:
        session.cursor().execute("SET application_name = 'books 1.2'")
        session.commit()
        found = collect(project, differing=["t_b2"], all_differences=["table t_b2 differs"])
    tables = {it.name: it for it in found.tables or ()}
    assert tables.keys() == {"t_a1", "t_b2", "t_c3"}
    child = tables["t_b2"]
    assert [(it.name, it.type, it.is_primary_key) for it in child.columns] == [
        ("id", "integer", True)
    ]
    assert [it.to_table for it in child.foreign_keys] == ["t_a1"]
    assert [it.name for it in tables.values() if it.differs] == ["t_b2"]
    assert found.differences == ("table t_b2 differs",)
    assert [(it.application, it.release) for it in found.sessions or ()] == [("books", "1.2")]
    assert found.journal is not None
    newest = found.journal.rows[0]
    assert (newest.revision, newest.title, newest.status) == ("c3", "Foreign c3", "applied")
    assert newest.release == "0.1.0"


def test_pages_of_the_journal(project: Theirs, cluster: Cluster, database: str) -> None:
    project.migrate().assert_ok()
    cluster.execute(JOURNAL.format("a1", "", "failed", "'x'") * ROWS, database)
    both = collecting(project)([1, 2, 3])
    pages = [it.journal for it in both.values() if isinstance(it, Report)]
    found = [(it.number, len(it.rows), it.has_older) for it in pages if it]
    assert found == [(1, ROWS, True), (2, 3, False), (3, 0, False)]


def test_a_role_without_rights_on_the_journal(
    project: Theirs, cluster: Cluster, database: str
) -> None:
    """Such a role serves, as readiness has it; but the page must not say that there was no run."""
    project.migrate().assert_ok()
    cluster.execute(f"REVOKE ALL ON schema_journal FROM {OWNER}", database)
    found = collect(project)
    assert (found.condition, found.state) == (Condition.READY, "current")
    assert statuses(found) == ALL
    assert found.journal is None
    assert "may not read" in found.problems[0]


@pytest.mark.slow
def test_ids_that_may_be_there(project: Theirs, cluster: Cluster, database: str) -> None:
    """After the first look, those of the history and those that only the database knows."""
    project.migrate().assert_ok()
    change = "UPDATE alembic_version SET version_num = 'd4'"
    cluster.execute(JOURNAL.format("d4", "c3", "applied", "NULL") + change, database)
    reads = collecting(project)
    assert reads.knows("zz")
    reads([1])
    assert [reads.knows(it) for it in ("a1", "d4", "zz")] == [True, True, False]


@pytest.mark.slow
def test_a_very_long_journal(project: Theirs, cluster: Cluster, database: str) -> None:
    """Neither the states of the revisions nor the page take longer than a statement may."""
    project.migrate().assert_ok()
    row = JOURNAL.format("c3", "b2", "failed", "'it broke'").replace("VALUES (", "SELECT ")
    cluster.execute(row.replace(");", " FROM generate_series(1, 100000);"), database)
    found = collect(project)
    assert statuses(found) == {**ALL, "c3": "failed"}
    assert found.journal is not None
    assert (len(found.journal.rows), found.problems) == (ROWS, ())


@pytest.mark.parametrize("at", ["0044-03-15 12:00 BC", "infinity", "-infinity", "99999-01-01"])
def test_a_time_that_cannot_be_read(
    project: Theirs, cluster: Cluster, database: str, at: str
) -> None:
    """It is unknown, and all the rest is there."""
    project.migrate().assert_ok()
    change = f"UPDATE schema_journal SET started_at = '{at}', finished_at = '{at}'"
    cluster.execute(f"{change}; {JOURNAL.format('c3', 'b2', 'running', 'NULL')} {change}", database)
    found = collect(project)
    assert found.problems == ()
    assert found.journal is not None
    assert {it.started_at for it in found.journal.rows} == {None}
    assert page(found, "en")


def test_its_sql(project: Theirs) -> None:
    """Rendered in another process, without the database; None for what cannot be rendered."""
    project.project.revision("d4", "c3", 'raise RuntimeError("needs data")')
    boot = collecting(project)._boot
    sql = RevisionSql(boot, patience=SOON)
    assert "CREATE TABLE t_b2" in (sql("b2", "a hash") or "")
    assert sql("d4", "a hash") is None


def test_one_revision(project: Theirs, cluster: Cluster, database: str) -> None:
    """By its id in the history; any other is not there, whatever its text."""
    project.migrate().assert_ok()
    found = collecting(project)(["b2", "zz", "../../etc/passwd", "b2_test.py"])
    detail = found.pop("b2")
    assert isinstance(detail, RevisionDetail)
    assert (detail.path, detail.revision.status) == ("b2_test.py", "applied")
    assert "REFERENCES t_a1" in (detail.source or "")
    assert [it.status for it in detail.runs] == ["applied"]
    assert set(found.values()) == {None}


def test_a_database_that_is_away(project: Theirs) -> None:
    """The files are shown all the same, and nothing is raised."""
    url = f"postgresql://me:top-secret-too@127.0.0.1:{free_port()}/books"
    look = collecting(project, url)([1, "b2"])
    found, detail = look[1], look["b2"]
    assert isinstance(found, Report)
    assert found.condition is Condition.UNAVAILABLE
    assert "Connection refused" in found.problems[0]
    assert found.reason == found.problems[0]
    assert isinstance(detail, RevisionDetail)
    assert detail.source


@pytest.fixture
def _hidden() -> Iterator[None]:
    masking.hide("pepper-and-salt")
    yield
    masking._secrets.clear()


@pytest.mark.usefixtures("_hidden")
def test_no_secret_and_no_markup(project: Theirs, cluster: Cluster, database: str) -> None:
    """Neither in a title, an error, a table's name, a session's, nor in a revision's file."""
    evil = "<script>alert(1)</script> pepper-and-salt postgresql://me:hunter2@db/app"
    project.project.revision("d4", "c3", constants=f"note = {evil!r}")
    file = project.project.versions / "d4_test.py"
    file.write_text(file.read_text().replace("Foreign d4", evil))
    project.migrate().assert_ok()
    cluster.execute(JOURNAL.format("d4", "c3", "failed", f"'{evil}'"), database)
    cluster.execute(f'CREATE TABLE "{evil[:50]}" ("{evil[:40]}" int)', database)
    with closing(cluster.connect(database)) as session:
        session.cursor().execute("SET application_name = '<script>alert(1)</script>'")
        session.commit()
        found = collecting(project)([1, "d4"])
    for path in ("/_boot", "/_boot.json", "/_boot/revisions/d4"):
        view = view_of(Request("GET", path))
        assert view is not None
        text = draw(view, found[view.key]).body.decode()
        assert "alert(1)" in text
        for secret in ("pepper-and-salt", "hunter2", PASSWORD):
            assert secret not in text
        assert "<script>alert" not in text or path.endswith("json")


@pytest.mark.slow
def test_a_long_history_stays_bounded(project: Theirs) -> None:
    """Its newest revisions are shown, and that there are more."""
    parent = "c3"
    for number in range(2000):
        revision = f"r{number:04}"
        text = f'"""Step {number}."""\nrevision = {revision!r}\ndown_revision = {parent!r}\n'
        (project.project.versions / f"{revision}.py").write_text(text)
        parent = revision
    project.migrate(MIGRATION_TARGET="c3").assert_ok()
    found = collect(project)
    shown = statuses(found)
    assert len(shown) == MOST_REVISIONS
    assert shown["r1999"] == shown["r0000"] == "pending"
    assert found.problems == (f"{MOST_REVISIONS} of 2003 revisions are shown.",)
    assert len(as_json(found)) < 200_000


def test_names_of_sessions() -> None:
    """The release and the host are read back from the names that starters and replicas give."""
    rows = [
        ("boot 0.1.0: host left, process 7", None, None, 1),
        ("moriai 0.1.0", "10.0.0.1", None, 5),
        ("moriai events 0.1.0", "10.0.0.1", None, 1),
        ("psql", None, None, 1),
        ("", None, None, 2),
    ]
    assert [
        (it.application, it.is_starter, it.release, it.host, it.count) for it in grouped(rows)
    ] == [
        ("boot", True, "0.1.0", "left", 1),
        ("moriai", False, "0.1.0", "10.0.0.1", 5),
        ("moriai events", False, "0.1.0", "10.0.0.1", 1),
        ("psql", False, None, None, 1),
        ("unnamed", False, None, None, 2),
    ]
