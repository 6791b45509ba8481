"""Revision ids that the version table has no room for: a table, and real version tables."""

from pathlib import Path

import pytest

from alembic_boot.checking.check import check
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import HistoryBrokenError
from alembic_boot.history.history import History, Revision
from alembic_boot.state.unrecordable import too_long
from tests.boot.adoption.unmanaged import Theirs, made
from tests.cluster import Cluster
from tests.scenarios.process import FOREIGN_ENV

TABLE = VersionTable("alembic_version", "public", room=5)


@pytest.fixture
def theirs(tmp_path: Path, cluster: Cluster, database: str) -> Theirs:
    """Give a project without revisions, beside an empty database."""
    return Theirs(tmp_path, cluster, database)


def history(folder: Path, **sources: str) -> History:
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    files = {name: str(folder / f"{name}.py") for name in sources}
    return History({name: Revision(name, (), name, file=files[name]) for name in sources})


@pytest.mark.parametrize(
    ("sources", "room", "expected"),
    [
        ({"short": "", "exact": ""}, 5, None),
        ({"a": "", "longer": ""}, 5, ("longer",)),
        ({"longer": "", "a": "", "longest": ""}, 5, ("longer", "longest")),
        ({"longer": ""}, None, None),
        ({"a": "op.alter_column('alembic_version', ...)", "longer": ""}, 5, None),
        ({"longer": "ALTER COLUMN version_num TYPE text"}, 5, None),
        ({"longer": "", "longest": "alembic_version"}, 5, ("longer",)),
        ({"öööää": ""}, 5, None),
    ],
)
def test_which_are_too_long(
    tmp_path: Path, sources: dict[str, str], room: int | None, expected: tuple[str, ...] | None
) -> None:
    """Those with more characters; a revision that names the version table may make room."""
    table = VersionTable("alembic_version", "public", room=room)
    found = too_long(sources, history(tmp_path, **sources), table, is_there=True)
    assert (found and found.ids) == expected


def test_room_is_made_in_the_table_that_is_there(tmp_path: Path) -> None:
    """The advice is SQL that works in this database."""
    for is_there, expected in (
        (True, 'ALTER TABLE "public"."alembic_version" ALTER version_num TYPE varchar(255)'),
        (
            False,
            'CREATE TABLE "public"."alembic_version" (version_num varchar(255) PRIMARY KEY)',
        ),
    ):
        found = too_long(["longer"], history(tmp_path, longer=""), TABLE, is_there=is_there)
        assert found is not None
        assert found.widening == expected


LONG = "a_revision_with_a_name_of_forty_characters"


@pytest.mark.slow
def test_nothing_runs_before_the_refusal(theirs: Theirs) -> None:
    """Neither the revision, which commits a part of itself, nor those before it."""
    theirs.project.revision("a1")
    theirs.project.revision(
        LONG, "a1", 'with op.get_context().autocommit_block():\n    op.execute("CREATE TABLE t ()")'
    )
    with pytest.raises(HistoryBrokenError) as caught:
        theirs.migrate()
    assert str(caught.value) == (
        f"The revision id {LONG} is longer than the 32 characters of version_num in "
        '"public"."alembic_version". Give the revision a shorter id, or make room with `CREATE '
        'TABLE "public"."alembic_version" (version_num varchar(255) PRIMARY KEY)`. Nothing was '
        "changed."
    )
    assert (
        theirs.query("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        == []
    )
    theirs.execute(caught.value.advice.split("`")[1])
    theirs.migrate()
    assert theirs.revisions() == [LONG]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "room"),
    [
        ("varchar(32)", 32),
        ("varchar(64)", None),
        ("text", None),
        ("varchar", None),
        ("narrow", 20),
        ("wide", None),
    ],
)
def test_the_table_that_is_there_decides(theirs: Theirs, column: str, room: int | None) -> None:
    """People widen the column, or have made the table themselves."""
    theirs.project.revision("a1")
    theirs.project.revision(LONG, "a1")
    theirs.execute("CREATE DOMAIN narrow AS varchar(20); CREATE DOMAIN wide AS text")
    theirs.execute(f"{made('a1')}; CREATE TABLE alembic_version (version_num {column} PRIMARY KEY)")
    theirs.execute("INSERT INTO alembic_version VALUES ('a1')")
    if room is None:
        theirs.migrate()
        assert [it.strip() for it in theirs.revisions()] == [LONG]
        return
    with pytest.raises(HistoryBrokenError, match=f"longer than the {room} characters") as caught:
        theirs.migrate()
    theirs.execute(caught.value.advice.split("`")[1])
    theirs.migrate()
    assert theirs.revisions() == [LONG]


WIDER = """
from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import Column, MetaData, String, Table


class Wider(PostgresqlImpl):
    __dialect__ = "postgresql"

    def version_table_impl(self, *, version_table, version_table_schema, **_others):
        column = Column("version_num", String(99), primary_key=True)
        return Table(version_table, MetaData(), column, schema=version_table_schema)

"""

MAKING = """    connection.exec_driver_sql(
        "CREATE TABLE IF NOT EXISTS alembic_version (version_num varchar(99) PRIMARY KEY)"
    )
    connection.commit()
    context.configure("""


@pytest.mark.slow
@pytest.mark.parametrize(
    "env",
    [f"{WIDER}{FOREIGN_ENV}", FOREIGN_ENV.replace("    context.configure(", MAKING)],
    ids=["described", "made"],
)
def test_an_env_py_with_a_wider_table(
    theirs: Theirs, env: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What env.py says of a table that is yet to be made holds."""
    from alembic.ddl.impl import _impls

    monkeypatch.setitem(_impls, "postgresql", _impls["postgresql"])
    theirs.write_env(env)
    theirs.project.revision(LONG)
    theirs.migrate()
    assert theirs.revisions() == [LONG]


@pytest.mark.slow
def test_a_revision_that_makes_room(theirs: Theirs) -> None:
    """A history may widen the column before it needs that."""
    theirs.project.revision(
        "a1", None, 'op.execute("ALTER TABLE alembic_version ALTER version_num TYPE text")'
    )
    theirs.project.revision(LONG, "a1")
    theirs.migrate()
    assert theirs.revisions() == [LONG]


@pytest.mark.slow
def test_a_revision_that_was_to_make_room(theirs: Theirs) -> None:
    """It names the table for another reason: the long one is refused before it runs."""
    theirs.project.revision("a1", None, "'alembic_version'")
    theirs.project.revision(
        LONG, "a1", 'with op.get_context().autocommit_block():\n    op.execute("CREATE TABLE t ()")'
    )
    with pytest.raises(HistoryBrokenError, match="longer than the 32 characters") as caught:
        theirs.migrate()
    assert caught.value.advice.endswith("TYPE varchar(255)`. It did not run.")
    assert theirs.revisions() == ["a1"]
    theirs.execute(caught.value.advice.split("`")[1])
    theirs.migrate()
    assert theirs.revisions() == [LONG]


@pytest.mark.slow
def test_a_long_one_is_adopted_where_there_is_room(theirs: Theirs) -> None:
    """The history is replayed all the same; the real table decides."""
    theirs.project.revision(LONG)
    theirs.execute(made(LONG))
    with pytest.raises(HistoryBrokenError, match="longer than the 32 characters") as caught:
        theirs.migrate()
    assert theirs.revisions() == []
    theirs.execute(caught.value.advice.split("`")[1])
    theirs.migrate()
    assert theirs.journal() == [f"stamp {LONG} applied"]


@pytest.mark.slow
def test_check_names_a_long_one(theirs: Theirs, caplog: pytest.LogCaptureFixture) -> None:
    """Before it comes to a database."""
    theirs.project.revision("a1")
    theirs.project.revision(LONG, "a1")
    with pytest.raises(HistoryBrokenError, match="The history fails 1 check"):
        check(theirs.boot)
    assert (
        f"The revision id {LONG} is longer than the 32 characters of version_num in "
        '"public"."alembic_version"' in caplog.messages
    )
