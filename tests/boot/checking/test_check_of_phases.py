"""`inv check` against revisions that promise more than they keep: their `phase` is held to what
they do.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.boot.in_process import checking, run
from tests.scenarios.process import FOREIGN_ENV, Finished, ForeignProject

pytestmark = pytest.mark.slow

FIRST = """
op.create_table("users", sa.Column("id", sa.Integer, primary_key=True))
op.create_table(
    "books",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("title", sa.Text),
    sa.Column("theme", sa.String(20), server_default="none"),
)
"""
FIRST_BACK = 'op.drop_table("books")\nop.drop_table("users")'

CONTRACTS = {
    "a renamed table": (
        'op.rename_table("users", "people")',
        'op.rename_table("people", "users")',
        "drops or renames table users",
    ),
    "several": (
        'op.drop_column("books", "title")\n'
        'op.alter_column("books", "theme", server_default=None, nullable=False)',
        'op.add_column("books", sa.Column("title", sa.Text))\n'
        'op.alter_column("books", "theme", server_default="none", nullable=True)',
        "drops column books.title; makes books.theme NOT NULL; drops the default of books.theme",
    ),
    "a type changed by an expression": (
        'op.alter_column("books", "theme", type_=sa.Text, postgresql_using="upper(theme)")',
        'op.alter_column("books", "theme", type_=sa.String(20))',
        "runs SQL of its own (ALTER TABLE books ALTER COLUMN theme TYPE TEXT USING upper(t …)",
    ),
    "SQL below SQLAlchemy": (
        "op.get_bind().connection.cursor().execute(\"UPDATE books SET title = ''\")",
        "pass",
        "runs SQL of its own (through cursor)",
    ),
    "SQL as a string": (
        "op.execute(\"UPDATE books SET title = ''\")",
        "op.execute('SELECT 1')",
        "runs SQL of its own (UPDATE books SET title = '…')",
    ),
    "SQL for the driver": (
        'op.get_bind().exec_driver_sql("DELETE FROM books")',
        "op.execute('SELECT 1')",
        "runs SQL of its own (DELETE FROM books)",
    ),
    "SQL that returns rows": (
        """
        query = sa.text("WITH gone AS (DELETE FROM books RETURNING id) SELECT id FROM gone")
        op.get_bind().execute(query.columns(id=sa.Integer)).all()
        """,
        "op.execute('SELECT 1')",
        "runs SQL of its own (WITH gone AS (DELETE FROM books RETURNING id) SELECT id FROM …)",
    ),
    "SQL as DDL": (
        'op.execute(sa.DDL("ALTER TABLE books SET (fillfactor = 90)"))',
        "op.execute('SELECT 1')",
        "runs SQL of its own (ALTER TABLE books SET (fillfactor = 90))",
    ),
    "SQL in an autocommit block": (
        'with op.get_context().autocommit_block():\n    op.execute("VACUUM books")',
        "op.execute('SELECT 1')",
        "runs SQL of its own (VACUUM books)",
    ),
    "SQL behind a setting": (
        "op.execute(\"SET lock_timeout = '1s'; DELETE FROM books\")",
        "op.execute('SELECT 1')",
        "runs SQL of its own (SET lock_timeout = '…'; DELETE FROM books)",
    ),
}

EXPANDS = {
    "a new table": (
        """
        op.create_table(
            "pages",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("book", sa.Integer, sa.ForeignKey("books.id"), nullable=False, unique=True),
            sa.Column("mood", sa.Enum("happy", "sad", name="mood"), nullable=False, index=True),
        )
        op.bulk_insert(sa.table("users", sa.column("id")), [{"id": 1}, {"id": 2}])
        """,
        """
        op.drop_table("pages")
        sa.Enum(name="mood").drop(op.get_bind())
        op.get_bind().execute(sa.table("users").delete())
        """,
    ),
    "a column more, longer texts, and an index": (
        """
        op.execute("SET LOCAL lock_timeout = '5s'")
        op.add_column("books", sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id")))
        op.alter_column("books", "theme", type_=sa.Text)
        with op.get_context().autocommit_block():
            op.create_index("ix", "books", ["user_id"], postgresql_concurrently=True)
        """,
        """
        op.drop_column("books", "user_id")
        op.alter_column("books", "theme", type_=sa.String(20))
        """,
    ),
    "nothing": ("pass", "pass"),
}

IDS = ("b2", "c3", "d4", "e5", "f6", "a7", "b8", "c9", "d10", "e11")
PHASES = ("", 'phase = "expand"', 'phase: str = "contract"')


@dataclass(frozen=True)
class Trial:
    """A project with two tables, to write revisions for and to check."""

    folder: Path
    url: str

    def check(self, *planted: tuple[str, str, str], env: str = FOREIGN_ENV) -> Finished:
        """Check a history with these after its first: their functions, and their constants."""
        foreign = ForeignProject(self.folder / "foreign", env)
        foreign.revision("a1", None, FIRST, FIRST_BACK, constants='phase = "expand"')
        parent = "a1"
        for id_, (upgrade, downgrade, constants) in zip(IDS, planted, strict=False):
            foreign.revision(id_, parent, upgrade, downgrade, constants=constants)
            parent = id_
        return self.run(foreign)

    def run(self, foreign: ForeignProject, **variables: str) -> Finished:
        """Run `inv check` on a project."""
        return run(
            checking,
            ALEMBIC_CONFIG=str(foreign.config),
            DATABASE_URL=self.url,
            **variables,
        )

    def check_each(self, upgrade: str, downgrade: str) -> Finished:
        """Check the same revision with each phase in turn; between them it is taken back."""
        first, second, third = ((upgrade, downgrade, phase) for phase in PHASES)
        back = (downgrade, upgrade, 'phase = "contract"')
        return self.check(first, back, second, back, third)


@pytest.fixture
def trial(tmp_path: Path, database_url: str) -> Trial:
    """Give a project to plant revisions in."""
    return Trial(tmp_path, database_url)


def test_a_contract_has_to_say_so(trial: Trial) -> None:
    """It is found out where it says expand or nothing: the reasons stand in one line."""
    upgrade, downgrade, reasons = CONTRACTS["several"]
    finished = trial.check_each(upgrade, downgrade)
    finished.assert_failed(9, "The history fails 2 checks. Fix the revisions, or the models, …")
    finished.assert_says(
        f'b2 {reasons}, but does not say phase = "contract"',
        f'd4 {reasons}, but does not say phase = "contract"',
    )


def test_a_contract_in_another_schema(trial: Trial) -> None:
    """A schema outside of the search_path counts like any other."""
    table = 'op.create_table("t", sa.Column("id", sa.Integer), schema="app")'
    drop = 'op.drop_table("t", schema="app")'
    finished = trial.check(
        ('op.execute("CREATE SCHEMA app")', 'op.execute("DROP SCHEMA app")', PHASES[2]),
        (table, drop, PHASES[1]),
        (drop, table, PHASES[1]),
    )
    finished.assert_failed(9, "The history fails 1 check. Fix the revisions, or the models, …")
    finished.assert_says('d4 drops table app.t, but does not say phase = "contract"')


def test_a_project_that_has_no_phases(trial: Trial) -> None:
    """Nothing is asked of it that it has not begun to use."""
    foreign = ForeignProject(trial.folder / "foreign")
    foreign.revision("a1", None, FIRST, FIRST_BACK)
    upgrade, downgrade, _ = CONTRACTS["several"]
    foreign.revision("b2", "a1", upgrade, downgrade)
    trial.run(foreign).assert_ok()


def test_every_way_to_run_sql_is_seen(trial: Trial) -> None:
    """What changes of a schema are contracts is for tests/boot/checking/test_phases.py."""
    ways = {name: it for name, it in CONTRACTS.items() if name.startswith(("SQL", "a type"))}
    finished = trial.check(*((upgrade, downgrade, "") for upgrade, downgrade, _ in ways.values()))
    finished.assert_failed(9, f"The history fails {len(ways)} checks. Fix the revisions, or …")
    finished.assert_says(
        *(
            f'{id_} {reasons}, but does not say phase = "contract"'
            for id_, (_, _, reasons) in zip(IDS, ways.values(), strict=False)
        )
    )


@pytest.mark.parametrize("name", EXPANDS)
def test_what_could_be_an_expand_may_say_what_it_likes(trial: Trial, name: str) -> None:
    """It may be called an expand, a contract or nothing at all."""
    trial.check_each(*EXPANDS[name]).assert_ok()


def test_a_history_of_contracts_that_say_so(trial: Trial) -> None:
    """Nothing is wrong with them."""
    planted = [CONTRACTS[name] for name in ("a renamed table", "several", "SQL as DDL")]
    revisions = [(upgrade, downgrade, 'phase = "contract"') for upgrade, downgrade, _ in planted]
    trial.check(*revisions).assert_ok()


@pytest.mark.parametrize(
    ("constants", "said"), [('phase = "Expand"', "'Expand'"), ("phase = 1", "1")]
)
def test_a_phase_that_is_none(trial: Trial, constants: str, said: str) -> None:
    """A word that is neither of the two is a slip."""
    finished = trial.check(("pass", "pass", constants))
    finished.assert_failed(9, "The history fails 1 check. Fix the revisions, or the models, …")
    finished.assert_says(f'b2 says phase = {said}, which is neither "expand" nor "contract"')


def test_what_env_py_executes(trial: Trial) -> None:
    """Statements around the revisions are not theirs."""
    env = FOREIGN_ENV.replace(
        "    with context.begin",
        "    from sqlalchemy import text\n"
        "    connection.execute(text(\"SELECT set_config('my.name', 'me', false)\"))\n"
        "    connection.commit()\n"
        "    with context.begin",
    ).replace(
        "target_metadata=None",
        "target_metadata=None, on_version_apply=lambda ctx, **_:"
        ' ctx.connection.exec_driver_sql("SELECT 1")',
    )
    trial.check(("pass", "pass", 'phase = "expand"'), env=env).assert_ok()


def test_a_history_with_branches(trial: Trial) -> None:
    """Each revision is judged by what it does itself, and no other one for it."""
    foreign = ForeignProject(trial.folder / "foreign")
    foreign.revision("a1", None, FIRST, FIRST_BACK)
    foreign.revision("b1", "a1", constants='phase = "expand"')
    foreign.revision(
        "b2",
        "b1",
        'op.drop_column("books", "title")',
        'op.add_column("books", sa.Column("title", sa.Text))',
    )
    foreign.revision("c1", "a1", constants='phase = "expand"')
    foreign.revision("c2", "c1", constants='depends_on = "b2"\nphase = "expand"')
    foreign.revision("d1", ("b2", "c2"), "pass", "pass")
    foreign.revision(
        "d2",
        "d1",
        'op.drop_column("books", "theme")',
        'op.add_column("books", sa.Column("theme", sa.String(20), server_default="none"))',
        constants='phase = "expand"',
    )
    foreign.revision("e1", "c1", constants='phase = "contract"')
    finished = trial.run(foreign, MIGRATION_TARGET="heads")
    finished.assert_says(
        "The history has branches: the downgrade goes to base in one run",
        'b2 drops column books.title, but does not say phase = "contract"',
    )
    finished.assert_says('d2 drops column books.theme, but does not say phase = "contract"')
    finished.assert_failed(9, "The history fails 2 checks. Fix the revisions, or the models, …")
