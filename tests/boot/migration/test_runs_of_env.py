"""One migration runs env.py once, and once more only if the first run must not change anything."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from alembic_boot.errors import (
    BootError,
    ConfigurationError,
    MigrationFailedError,
    SchemaUnmanagedError,
)
from alembic_boot.migration.migrate import migrate
from alembic_boot.postgres.advisory import AdvisoryKey, begin, try_lock
from tests.boot.adoption.unmanaged import Theirs
from tests.cluster import Cluster
from tests.scenarios.process import FOREIGN_ENV

pytestmark = pytest.mark.slow

LOCK = AdvisoryKey.named("schema", "public", "alembic_version")

COUNTING = """
from pathlib import Path
with Path(__file__).with_name("runs").open("a") as runs:
    runs.write(config.get_main_option("sqlalchemy.url").rpartition("/")[2] + "\\n")
"""

NAMED = FOREIGN_ENV.replace(
    "    poolclass=", '    connect_args={"application_name": "theirs"},\n    poolclass='
)

CONFIGURE = "    context.configure(connection=connection, target_metadata=None)\n"

RUN = "    with context.begin_transaction():\n        context.run_migrations()\n"


class Counted(Theirs):
    """A project whose env.py notes each of its runs, beside a database."""

    def write_env(self, text: str) -> None:
        """Replace env.py by a text that has a line `config = context.config`."""
        counting = f"config = context.config\n{COUNTING}"
        super().write_env(text.replace("config = context.config\n", counting))

    def count(self) -> int:
        """Return how often env.py has run on this database since the last count."""
        file = self.project.folder / "scripts" / "runs"
        runs = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return runs.count(self.database)

    def tables(self) -> list[str]:
        """Return the tables that the revisions have made."""
        rows = self.query("SELECT relname FROM pg_class WHERE relname LIKE 't\\__\\d' ORDER BY 1")
        return [str(name) for (name,) in rows]


@pytest.fixture
def theirs(tmp_path: Path, cluster: Cluster, database: str) -> Counted:
    """Give a project with two revisions beside an empty database."""
    made = Counted(tmp_path, cluster, database)
    made.write_env(NAMED)
    made.project.revision("a1")
    made.project.revision("b2", "a1")
    return made


def failure(theirs: Theirs, kind: type[BootError]) -> str:
    """Return why the migration fails."""
    with pytest.raises(kind) as caught:
        theirs.migrate()
    assert caught.type is kind
    return str(caught.value)


def test_each_state(theirs: Counted) -> None:
    """Empty, current, behind: one run. To adopt and to record takes one more."""
    theirs.migrate()
    assert (theirs.count(), theirs.revisions()) == (1, ["b2"])
    theirs.migrate()
    assert theirs.count() == 1
    theirs.project.revision("c3", "b2")
    theirs.migrate()
    assert (theirs.count(), theirs.revisions()) == (1, ["c3"])
    theirs.execute("DROP TABLE alembic_version, schema_journal")
    theirs.migrate()
    assert (theirs.count(), theirs.revisions()) == (2, ["c3"])
    assert theirs.journal() == ["stamp c3 applied"]


@contextmanager
def at_level(log: logging.Logger, level: int) -> Iterator[None]:
    """Have a logger log from this level on."""
    before = log.level
    log.setLevel(level)
    try:
        yield
    finally:
        log.setLevel(before)


@pytest.fixture
def holder(theirs: Counted) -> Iterator["Holder"]:
    """Give another starter, which has the lock."""
    with closing(theirs.cluster.connect(theirs.database)) as connection:
        begin(connection)
        assert try_lock(connection, LOCK)
        holder = Holder(theirs, connection)
        log = logging.getLogger("alembic_boot.running.lock")
        log.addHandler(holder)
        with at_level(log, logging.INFO):
            yield holder
        log.removeHandler(holder)


class Holder(logging.Handler):
    """Does what the other starter does as soon as this one says that it waits, and lets go.

    With `next` another starter has the lock from then on, until this one says again that it waits.
    """

    def __init__(self, theirs: Counted, connection: Connection) -> None:
        super().__init__()
        self._theirs = theirs
        self.connection = connection
        self.sql = self.next = ""
        self.sessions_of_env: object = None

    def emit(self, record: logging.LogRecord) -> None:
        """Hear of the wait."""
        assert "Waiting for another starter" in record.getMessage()
        [(self.sessions_of_env,)] = self._theirs.query(
            "SELECT count(*) FROM pg_stat_activity"
            f" WHERE application_name = 'theirs' AND datname = '{self._theirs.database}'"
        )
        if self.sql:
            self._theirs.execute(self.sql)
            self.sql = ""
        if not self.next:
            self.connection.close()
            return
        name = "SELECT set_config('application_name', %s, true)"
        self.connection.cursor().execute(name, (self.next,))
        self.next = ""


def test_a_lock_that_is_held(theirs: Counted, holder: Holder) -> None:
    """Nothing of env.py is open during the wait; it runs again for what is left afterwards."""
    theirs.migrate()
    assert holder.sessions_of_env == 0
    assert (theirs.count(), theirs.revisions()) == (2, ["b2"])


def test_a_lock_whose_holder_does_the_work(theirs: Counted, holder: Holder) -> None:
    """Nothing is left, so env.py does not run again."""
    holder.sql = "CREATE TABLE alembic_version AS SELECT 'b2'::varchar(32) AS version_num"
    theirs.migrate()
    assert (theirs.count(), theirs.tables()) == (1, [])


@pytest.mark.parametrize("is_alone", [False, True])
def test_the_next_holder_is_not_waited_for(
    theirs: Counted, holder: Holder, *, is_alone: bool
) -> None:
    """If the work is done, only a starter waits that does more under the lock."""
    holder.sql = "CREATE TABLE alembic_version AS SELECT 'b2'::varchar(32) AS version_num"
    holder.next = "boot: host b, process 2"
    migrate(theirs.boot, is_alone=is_alone)
    assert bool(holder.connection.closed) is is_alone


CHANGING = {
    "in a transaction for all": NAMED.replace(".connect() as", ".begin() as"),
    "without a commit": NAMED,
}


@pytest.mark.parametrize("env", CHANGING.values(), ids=CHANGING.keys())
def test_an_env_that_changes_something_itself(theirs: Counted, env: str) -> None:
    """Other sessions do not see that before it is committed; the second run finds it."""
    make = '    connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS meta")\n'
    configure = CONFIGURE.replace("=None", '=None, version_table_schema="meta"')
    theirs.cluster.execute(f'GRANT CREATE ON DATABASE "{theirs.database}" TO PUBLIC')
    order = (make, configure) if ".begin() as" in env else (configure, make)
    committing = env.replace(RUN, f"{RUN}    connection.commit()\n") if order[1] == make else env
    theirs.write_env(committing.replace(CONFIGURE, "".join(order)))
    theirs.migrate()
    assert theirs.count() == 2
    assert theirs.query("SELECT version_num FROM meta.alembic_version") == [("b2",)]
    theirs.migrate()
    assert theirs.count() == 1


def test_a_repeatable_read(theirs: Counted) -> None:
    """A snapshot that is older than the lock must not say what there is to do."""
    level = '    isolation_level="REPEATABLE READ",\n    poolclass='
    theirs.write_env(NAMED.replace("    poolclass=", level))
    theirs.migrate()
    assert (theirs.count(), theirs.revisions()) == (2, ["b2"])


FIRST = CONFIGURE.replace("=None", '=None, version_table="first"') + RUN
SECOND = FIRST.replace("first", "second")

SEVERAL = {
    "a loop": (
        '    for table in ("first", "second"):\n'
        "        context.configure(connection=connection, version_table=table)\n"
        "        context.run_migrations()\n"
    ),
    "one after the other": FIRST + SECOND,
    "out of sight": (
        '    for table in ("first", "second"):\n'
        "        context.configure(connection=connection, version_table=table)\n"
        '        getattr(context, "run_" + "migrations")()\n'
    ),
}

TABLES = (
    'env.py configures several version tables ("public"."first", "public"."second"). Let it take '
    "one of them from its environment, and run it once for each."
)


@pytest.mark.parametrize("body", SEVERAL.values(), ids=SEVERAL.keys())
def test_several_version_tables(theirs: Counted, body: str) -> None:
    """They are refused before anything changes."""
    theirs.write_env(NAMED.replace(CONFIGURE + RUN, body))
    assert failure(theirs, ConfigurationError).endswith(TABLES)
    assert theirs.count() == 1
    assert theirs.query("SELECT to_regclass('first'), to_regclass('schema_journal')") == [
        (None, None)
    ]


HIDDEN = """
    configured = context.configure
    run = getattr(context, "run_" + "migrations")
    configured(connection=connection, version_table="first")
    context.run_migrations()
    configured(connection=connection, version_table="second")
    run()
"""


SWALLOWED = HIDDEN.replace("run()", "try: run()\n    except Exception: pass")


@pytest.mark.parametrize("body", [HIDDEN, SWALLOWED], ids=["raised", "swallowed"])
def test_several_version_tables_that_its_text_hides(theirs: Counted, body: str) -> None:
    """The refusal says what was applied before the second table was seen."""
    theirs.write_env(NAMED.replace(CONFIGURE + RUN, body))
    assert failure(theirs, ConfigurationError).endswith(
        f'{TABLES} These revisions of "public"."first" have run already: a1 Foreign a1, b2 Foreign '
        "b2."
    )
    assert theirs.query("SELECT version_num FROM first") == [("b2",)]
    assert theirs.query("SELECT to_regclass('second')") == [(None,)]


def test_the_same_table_twice(theirs: Counted) -> None:
    """The second call finds nothing to do."""
    theirs.write_env(NAMED.replace(CONFIGURE + RUN, (CONFIGURE + RUN) * 2))
    theirs.migrate()
    assert (theirs.revisions(), theirs.journal()) == (
        ["b2"],
        ["upgrade a1 applied", "upgrade b2 applied"],
    )


CATCHING = {
    "swallows": "    try:\n        context.run_migrations()\n    except Exception:\n        pass\n",
    "replaces": (
        "    try:\n        context.run_migrations()\n"
        '    except Exception as error:\n        raise SystemExit("sorry") from error\n'
    ),
    "hides": (
        "    try:\n        context.run_migrations()\n"
        '    finally:\n        raise RuntimeError("sorry")\n'
    ),
}


@pytest.mark.parametrize("body", CATCHING.values(), ids=CATCHING.keys())
class TestAnEnvThatCatches:
    """An env.py that catches what `run_migrations` raises: what happened is said all the same."""

    def test_a_failed_revision(self, theirs: Counted, body: str) -> None:
        """It is the revision that has failed."""
        theirs.write_env(NAMED.replace(RUN, body))
        theirs.project.revision("c3", "b2", 'raise RuntimeError("no kettle")')
        said = failure(theirs, MigrationFailedError)
        assert said.startswith("Migration c3 Foreign c3 failed: ")
        assert "RuntimeError: no kettle. The database is at b2 now" in said
        assert theirs.journal()[-1] == "upgrade c3 failed"

    def test_a_refusal(self, theirs: Counted, body: str) -> None:
        """It keeps its own exit status."""
        theirs.write_env(NAMED.replace(RUN, body))
        theirs.cluster.execute("CREATE TYPE schema_journal AS ENUM ()", theirs.database)
        said = failure(theirs, MigrationFailedError)
        assert said.startswith('"public"."schema_journal" has the name of the journal')


def test_an_env_that_tries_again(theirs: Counted) -> None:
    """What it has overcome itself is no failure."""
    again = """\
    for _ in range(2):
        try:
            context.run_migrations()
            break
        except RuntimeError:
            pass
"""
    theirs.write_env(NAMED.replace(RUN, again))
    once = 'import os\nif os.environ.setdefault("TRIED_{0}", "1") == "1":\n'
    once += '    os.environ["TRIED_{0}"] = "2"\n    raise RuntimeError("not yet")'
    theirs.project.revision("c3", "b2", once.format(theirs.database))
    theirs.migrate()
    assert theirs.revisions() == ["c3"]


def test_an_env_that_fails_after_the_work(theirs: Counted) -> None:
    """The sentence says where the database is now."""
    theirs.write_env(f'{NAMED}\nraise RuntimeError("no kettle")\n')
    said = failure(theirs, MigrationFailedError)
    assert said.startswith("Alembic's env.py failed: env.py, line ")
    assert "RuntimeError: no kettle. The database is at b2 now; " in said


def test_a_refused_database(theirs: Counted) -> None:
    """It is refused after one run, though env.py catches all."""
    theirs.write_env(NAMED.replace(RUN, CATCHING["hides"].replace("finally", "except Exception")))
    theirs.execute("CREATE TABLE t (id int)")
    failure(theirs, SchemaUnmanagedError)
    assert theirs.count() == 1
