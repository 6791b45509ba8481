"""A database that differs is never taken for a revision, and what differs is named."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

import psycopg2
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from alembic_boot.adoption.adopt import adopt
from alembic_boot.adoption.comparison import Catalogue, ObjectKey
from alembic_boot.adoption.history_replay import Replay
from alembic_boot.adoption.revision_choice import choose
from alembic_boot.adoption.schema_matching import equal_points, lines_of
from alembic_boot.errors import SchemaUnmanagedError
from tests.boot.adoption.planted import PLANTED, Planted
from tests.boot.adoption.unmanaged import Beside, described, make_at, replayed, scratches
from tests.cluster import Cluster
from tests.history import HEAD
from tests.migrations.migrated import read_schema
from tests.migrations.project import revisions
from tests.scenarios.process import ForeignProject, revisions as recorded

pytestmark = pytest.mark.slow

TOUCH = "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"

# At 005 of our own history: of each kind that the comparison knows, as it is missing or unexpected,
# and as it is another.
ENDS = {
    "CREATE TABLE t ()": ["table t is unexpected"],
    "DROP TABLE audios": ["table audios is missing", "index ix_audios_user_id is missing"],
    "ALTER TABLE audios SET UNLOGGED": ["table audios: persistence is unlogged, …"],
    "ALTER TABLE users ADD a int": ["column users.a is unexpected"],
    "ALTER TABLE users ALTER email TYPE varchar(9)": [
        "users.email: type is character varying(9), …"
    ],
    "ALTER TABLE users ADD CONSTRAINT k CHECK (email <> '')": [
        "constraint k on users is unexpected"
    ],
    "CREATE INDEX i ON users (is_active)": ["index i is unexpected"],
    "CREATE TYPE e AS ENUM ()": ["enum e is unexpected"],
    "ALTER TYPE voice_status ADD VALUE 'lost'": ["enum voice_status: labels are …"],
    "CREATE DOMAIN d AS int": ["domain d is unexpected"],
    "CREATE TYPE c AS (a int)": ["composite type c is unexpected"],
    "CREATE TYPE r AS RANGE (subtype = int)": ["range type r is unexpected"],
    "CREATE SEQUENCE s": ["sequence s is unexpected"],
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'": ["function f() is unexpected"],
    "CREATE PROCEDURE p() LANGUAGE sql AS ''": ["procedure p() is unexpected"],
    "CREATE AGGREGATE g(int) (sfunc = int4pl, stype = int)": ["aggregate g(integer) is unexpected"],
    f"{TOUCH}; CREATE TRIGGER g AFTER UPDATE ON users EXECUTE FUNCTION touch()": [
        "function touch() is unexpected",
        "trigger g on users is unexpected",
    ],
    "CREATE RULE r AS ON DELETE TO users DO INSTEAD NOTHING": ["rule r on users is unexpected"],
    "CREATE POLICY p ON users": ["policy p on users is unexpected"],
    "CREATE VIEW v AS SELECT email FROM users": ["view v is unexpected"],
    "CREATE MATERIALIZED VIEW v AS SELECT email FROM users": ["materialized view v is unexpected"],
}


@pytest.fixture(scope="module")
def our_replay(cluster: Cluster) -> Replay:
    """Give our history, replayed with each point read in full."""
    return replayed(cluster, None)


@pytest.fixture(scope="module")
def beside_005(cluster: Cluster, our_replay: Replay) -> Iterator[Beside]:
    """Give a transaction in a database at 005 which does not know it, beside our history."""
    with cluster.database() as database:
        make_at(cluster, database, "005")
        with closing(cluster.connect(database)) as connection:
            connection.autocommit = False
            yield Beside(connection, our_replay)


def assert_listed(
    statement: str, refusal: SchemaUnmanagedError, caplog: pytest.LogCaptureFixture
) -> None:
    """Fail unless 005 is the nearest, with the lines that the statement's difference has."""
    lines = [it.getMessage() for it in caplog.records if it.levelname == "ERROR"]
    patterns = ENDS[statement]
    assert len(lines) == len(patterns)
    for pattern in patterns:
        wanted = f"005: {pattern.removesuffix('…')}"
        assert [it for it in lines if it.startswith(wanted)], (wanted, lines)
    number = f"{len(lines)} difference{'s' * (len(lines) > 1)}."
    assert f"is that of no revision; 005 Voices is nearest, with {number}" in str(refusal)


@pytest.mark.parametrize("statement", ENDS)
def test_each_kind(beside_005: Beside, statement: str, caplog: pytest.LogCaptureFixture) -> None:
    """Missing, unexpected or changed: it is no revision, with a line for what differs."""
    matches = beside_005.match_schema(statement)
    with pytest.raises(SchemaUnmanagedError) as caught:
        choose(matches, beside_005.replay.history, None, is_recorded=False)
    assert_listed(statement, caught.value, caplog)


def test_from_end_to_end(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """A real database is refused, with a line for what differs; it stays as it was."""
    statement = "DROP TABLE audios"
    with cluster.database() as database:
        make_at(cluster, database, "005")
        cluster.execute(statement, database)
        before = read_schema(cluster, database)
        with pytest.raises(SchemaUnmanagedError) as caught:
            adopt(described(cluster, database))
        assert read_schema(cluster, database) == before
        assert (recorded(cluster, database), scratches(cluster)) == ([], [])
    assert_listed(statement, caught.value, caplog)


SERVERS = (
    "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER here FOREIGN DATA WRAPPER nowhere;"
    "CREATE SERVER there FOREIGN DATA WRAPPER nowhere"
)


@pytest.fixture(scope="module")
def theirs_of_every_kind(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Beside]:
    """Give a history in which each planted difference has a revision, and a database beside it."""
    project = ForeignProject(tmp_path_factory.mktemp("planted") / "theirs")
    project.revision("0", None, f"op.execute({SERVERS!r})")
    for number, planted in enumerate(PLANTED, 1):
        statements = [
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
            "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)",
            f"INSERT INTO alembic_version VALUES ('{number - 1}')",
            planted.common,
            planted.expected,
        ]
        body = "\n".join(
            f"op.get_bind().exec_driver_sql({statement!r})" for statement in statements if statement
        )
        project.revision(f"{number}", f"{number - 1}", body)
    replay = replayed(cluster, project.config, "postgres")
    with cluster.database() as database:
        cluster.execute(SERVERS, database)
        connection = cluster.connect(database)
        connection.autocommit = False
        yield Beside(connection, replay)
        connection.close()


@pytest.mark.parametrize("number", range(len(PLANTED)), ids=[planted.line for planted in PLANTED])
def test_every_property(
    theirs_of_every_kind: Beside, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    """All that the comparison knows: none is taken for equal, and each has its line."""
    planted: Planted = PLANTED[number]
    revision = f"{number + 1}"
    matches = theirs_of_every_kind.match_schema(planted.common, planted.found)
    with pytest.raises(SchemaUnmanagedError):
        choose(matches, theirs_of_every_kind.replay.history, revision, is_recorded=False)
    lines = [it.getMessage() for it in caplog.records if it.levelname == "ERROR"]
    assert [f"{revision}: {line}" for line in planted.line.splitlines()] == lines
    assert matches[revision,]


class Mutation(NamedTuple):
    """What is done to a table or a column of ours, and the beginning of the line that names it."""

    statement: str
    line: str | None
    """None where it is no difference."""


COLUMNS: list[Callable[[str, str], Mutation]] = [
    lambda t, c: Mutation(f"ALTER TABLE {t} DROP {c} CASCADE", f"column {t}.{c} is missing"),
    lambda t, c: Mutation(f"ALTER TABLE {t} RENAME {c} TO other", f"column {t}.{c} is missing"),
    lambda t, c: Mutation(f"ALTER TABLE {t} RENAME {c} TO x", f"column {t}.x is unexpected"),
    lambda t, c: Mutation(
        f"ALTER TABLE {t} ALTER {c} SET DEFAULT NULL, ALTER {c} DROP NOT NULL, "
        f"ALTER {c} TYPE varchar(77) USING {c}::text",
        f"{t}.{c}: type is character varying(77), expected ",
    ),
    lambda t, c: Mutation(
        f'ALTER TABLE {t} ALTER {c} TYPE text COLLATE "POSIX"', f'{t}.{c}: collation is "POSIX", '
    ),
    lambda t, c: Mutation(
        f"ALTER TABLE {t} ADD CONSTRAINT k CHECK ({c} IS NOT NULL)",
        f"constraint k on {t} is unexpected",
    ),
    lambda t, c: Mutation(f"CREATE INDEX i_{t} ON {t} ({c})", f"index i_{t} is unexpected"),
    lambda t, c: Mutation(f"CREATE VIEW v_{t} AS SELECT {c} FROM {t}", f"view v_{t} is unexpected"),
    lambda t, c: Mutation(
        f"CREATE RULE r AS ON UPDATE TO {t} WHERE new.{c} IS NULL DO INSTEAD NOTHING",
        f"rule r on {t} is unexpected",
    ),
    lambda t, c: Mutation(f"COMMENT ON COLUMN {t}.{c} IS 'seen'", None),
    lambda t, c: Mutation(f"ALTER TABLE {t} ALTER {c} SET STATISTICS 7", None),
]
TABLES: list[Callable[[str], Mutation]] = [
    lambda t: Mutation(f"ALTER TABLE {t} RENAME TO other_{t}", f"table {t} is missing"),
    lambda t: Mutation(f"ALTER TABLE {t} RENAME TO x_{t}", f"table x_{t} is unexpected"),
    lambda t: Mutation(f"DROP TABLE {t} CASCADE", f"table {t} is missing"),
    lambda t: Mutation(f"CREATE TABLE t_{t} (LIKE {t})", f"table t_{t} is unexpected"),
    lambda t: Mutation(f"CREATE TABLE t_{t} () INHERITS ({t})", f"table t_{t} is unexpected"),
    lambda t: Mutation(f'ALTER TABLE {t} ADD "Ü" int', f'column {t}."Ü" is unexpected'),
    lambda t: Mutation(f"ALTER TABLE {t} ENABLE ROW LEVEL SECURITY", f"table {t}: row security "),
    lambda t: Mutation(f"ALTER TABLE {t} SET SCHEMA elsewhere", f"table {t} is missing"),
    lambda t: Mutation(f"ALTER TABLE {t} SET UNLOGGED", f"table {t}: persistence is unlogged, "),
    lambda t: Mutation(
        f"ALTER TABLE {t} DROP CONSTRAINT pk_{t} CASCADE", f"constraint pk_{t} on {t} is missing"
    ),
    lambda t: Mutation(f"ALTER INDEX pk_{t} RENAME TO k", f"constraint k on {t} is unexpected"),
    lambda t: Mutation(
        f"CREATE TYPE e_{t} AS ENUM ('a'); ALTER TABLE {t} ADD a e_{t}", f"enum e_{t} is unexpected"
    ),
    lambda t: Mutation(f"GRANT ALL ON {t} TO PUBLIC", None),
    lambda t: Mutation(f"ALTER TABLE {t} SET (fillfactor = 70)", None),
    lambda t: Mutation(f"ALTER TABLE {t} ADD gone int; ALTER TABLE {t} DROP gone", None),
    lambda t: Mutation(f"INSERT INTO {t} DEFAULT VALUES ON CONFLICT DO NOTHING", None),
    lambda t: Mutation(f"ALTER TABLE {t} CLUSTER ON pk_{t}", None),
]


class Ours(NamedTuple):
    """An unmanaged database of ours, with the columns of each table."""

    revision: str
    beside: Beside
    columns: dict[str, list[str]]


@pytest.fixture(scope="module", params=["002", "005", HEAD])
def ours(cluster: Cluster, our_replay: Replay, request: pytest.FixtureRequest) -> Iterator[Ours]:
    """Give a transaction in an unmanaged database, and our history replayed beside it."""
    revision: str = request.param
    with cluster.database() as database:
        make_at(cluster, database, revision)
        cluster.execute("CREATE SCHEMA elsewhere", database)
        connection = cluster.connect(database)
        connection.autocommit = False
        columns: dict[str, list[str]] = {}
        for key in read_schema(cluster, database):
            if key.kind == "column":
                columns.setdefault(key.name, []).append(key.part)
        yield Ours(revision, Beside(connection, our_replay), columns)
        connection.close()


numbers = st.integers(0, 99)
changes = st.tuples(numbers, st.one_of(st.tuples(numbers), st.tuples(numbers, numbers)))


def mutation(ours: Ours, table: str, change: tuple[int, ...]) -> Mutation:
    if len(change) == 1:
        return TABLES[change[0] % len(TABLES)](table)
    columns = ours.columns[table]
    return COLUMNS[change[0] % len(COLUMNS)](table, columns[change[1] % len(columns)])


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(drawn=st.lists(changes, max_size=3))
def test_whatever_is_planted_is_named(ours: Ours, drawn: list[tuple[int, tuple[int, ...]]]) -> None:
    """However many and of whatever kind; where nothing differs, one revision alone is equal."""
    tables = sorted(ours.columns)
    chosen = {tables[number % len(tables)]: change for number, change in drawn}
    mutations = [mutation(ours, table, change) for table, change in chosen.items()]
    try:
        matches = ours.beside.match_schema(*(it.statement for it in mutations))
    except (psycopg2.ProgrammingError, psycopg2.IntegrityError, psycopg2.NotSupportedError):
        assume(False)  # it cannot be done to this column, or not after the other
    history = ours.beside.replay.history
    lines = [it.line for it in mutations if it.line is not None]
    if not lines:
        assert choose(matches, history, None, is_recorded=False) == (ours.revision,)
        return
    with pytest.raises(SchemaUnmanagedError):
        choose(matches, history, None, is_recorded=False)
    assert equal_points(matches) == []
    said = lines_of(matches[ours.revision,])
    for line in lines:
        assert [it for it in said if it.startswith(line)], (line, said)


def test_the_whole_history_is_told_apart(ours: Ours) -> None:
    """No two of our revisions make the same schema: any database of ours can be adopted."""
    points = ours.beside.replay.points
    assert list(points) == [(it,) for it in revisions()]
    assert len({frozenset(flat(it)) for it in points.values()}) == len(points)


def flat(catalogue: Catalogue) -> Iterator[tuple[ObjectKey, str]]:
    for key, properties in catalogue.items():
        yield key, repr(sorted((name, value) for name, value in properties.items() if value))
