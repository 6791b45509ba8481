"""Behind PgBouncer, which lends its connections by the transaction, all works as without it.

Where it cannot, one sentence says so, and names the setting that leads around the pooler.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from tests.cluster import OWNER, PASSWORD, Cluster
from tests.history import BEFORE_HEAD, HEAD
from tests.pgbouncer import running_pgbouncer
from tests.scenarios.live_traffic import blocking, traffic
from tests.scenarios.process import FOREIGN_ENV, Finished, project, run, running, write_revision
from tests.scenarios.scene import AUTOCOMMIT, MAKE_TABLE, SOON, MakeScene
from tests.scenarios.test_adoption import databases, forget
from tests.scenarios.test_concurrent_indexes import (
    ALONE,
    BLOCK,
    BODY,
    ENVS,
    ITS_INDEX,
    SNAPSHOT,
    VALID,
)

pytestmark = pytest.mark.slow

CONCURRENT_INDEX = f"""
{MAKE_TABLE}
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY on_id ON t_b2 (id)")
"""

PAUSE = f'{MAKE_TABLE}\nop.execute("SELECT pg_sleep(3)")'

AROUND = (
    "A pooler stands in between: if it ends connections, or has fewer than three for boot, "
    "set MIGRATION_DATABASE_URL to the server itself."
)

UNREACHABLE_SCRATCH = (
    "A scratch database was made, but it cannot be reached. …_scratch_… failed: …"
    "Let the role in there; if a pooler stands in between that knows no other databases, set "
    "MIGRATION_DATABASE_URL to the server itself; or name an empty database in "
    "SCRATCH_DATABASE_URL."
)


def test_every_task(
    tmp_path: Path, debian_cluster: Cluster, pgbouncer: Callable[[str], str]
) -> None:
    """Started, served, checked, rolled back and adopted; nothing stays locked or made."""
    folder = project(tmp_path)
    with debian_cluster.database() as name:
        settings = {"APP_ENV": "test", "DATABASE_URL": pgbouncer(name), "BACKEND_PORT": "0"}

        def inv(*arguments: str) -> Finished:
            finished = run(folder, *arguments, **settings)
            finished.assert_ok()
            return finished

        with running(folder, "start", **settings) as process:
            process.wait_for("Backend started")
            assert process.url
            process.interrupt()
            started = process.finish()
        started.assert_ok()
        started.assert_says(f"Schema revision: {HEAD} (head)", "Initial data seeded (66 rows)")
        assert "state     current" in inv("status").stdout
        inv("seed").assert_says("Initial data is complete already")
        inv("check").assert_says("The history is sound: …")
        inv("rollback", "--yes").assert_says(f"Schema revision: {BEFORE_HEAD}")
        inv("migrate").assert_says(f"Schema revision: {HEAD} (head)")
        forget(debian_cluster, name)
        inv("adopt").assert_says(f"Adopted the database as revision {HEAD} …")
        assert databases(debian_cluster, name) == []
        # Its sessions live on, in the pool.
        assert debian_cluster.query("SELECT * FROM pg_locks WHERE locktype = 'advisory'") == []


@pytest.mark.parametrize("body", [AUTOCOMMIT, CONCURRENT_INDEX], ids=["rows", "index"])
def test_autocommit_blocks(
    debian_cluster: Cluster,
    pgbouncer: Callable[[str], str],
    make_scene: MakeScene,
    body: str,
) -> None:
    """What cannot be in a transaction runs, while the lock is held in one."""
    scene = make_scene(debian_cluster, body)
    scene.start(url=pgbouncer(scene.database)).finish().assert_ok()
    scene.assert_complete()


def leave_in_the_pool(url: str, statement: str) -> None:
    """Have as many sessions as a starter may get executed the statement."""
    clients = [psycopg2.connect(url) for _ in range(6)]
    for client in clients:
        client.cursor().execute(statement)
    for client in clients:
        client.commit()
        client.close()


def test_a_limit_that_somebody_left_in_a_session(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """What others have set in a session that the pooler lends on does not bound a revision."""
    scene = make_scene(debian_cluster, PAUSE)
    url = pgbouncer(scene.database)
    leave_in_the_pool(url, "SET statement_timeout = 1000")
    scene.start(url=url).finish().assert_ok()
    scene.assert_complete()


@pytest.mark.parametrize(
    ("name", "value"), [("search_path", "other"), ("session_replication_role", "replica")]
)
def test_a_session_that_somebody_led_elsewhere(
    tmp_path: Path,
    debian_cluster: Cluster,
    pgbouncer: Callable[[str], str],
    name: str,
    value: str,
) -> None:
    """Nothing is made anew where others look for their tables, nor unchecked: it is refused."""
    folder = project(tmp_path)
    with debian_cluster.database() as database:
        run(folder, "migrate", DATABASE_URL=debian_cluster.url(database)).assert_ok()
        debian_cluster.execute(f"CREATE SCHEMA other AUTHORIZATION {OWNER}", database)
        debian_cluster.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}")
        write_revision(folder / "alembic" / "versions", "901", HEAD, "op.execute('SELECT 1')")
        url = pgbouncer(database)
        leave_in_the_pool(url, f"SET {name} = {value}")
        run(folder, "migrate", DATABASE_URL=url).assert_failed(
            2,
            f"The session that the pooler lends has {name} set, by others or by env.py. "
            "Set MIGRATION_DATABASE_URL to the server itself; …",
        )
        made = debian_cluster.query(
            "SELECT FROM pg_class WHERE relnamespace = 'other'::regnamespace", database
        )
        assert made == []
        run(folder, "status", DATABASE_URL=debian_cluster.url(database)).assert_says("…pending…")


@pytest.fixture
def role(debian_cluster: Cluster) -> Iterator[str]:
    """A role that the owner may become."""
    name = f"role_{uuid4().hex[:8]}"
    debian_cluster.execute(f"CREATE ROLE {name}; GRANT {name} TO {OWNER}")
    yield name
    for (database,) in debian_cluster.query("SELECT datname FROM pg_database WHERE datallowconn"):
        debian_cluster.execute(f"DROP OWNED BY {name}", str(database))
    debian_cluster.execute(f"DROP ROLE {name}")


def test_a_role_that_somebody_became(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene, role: str
) -> None:
    """Nothing is made that would be another role's: it is refused."""
    scene = make_scene(debian_cluster, MAKE_TABLE)
    grant = f"GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO "
    url = pgbouncer(scene.database)
    for target in ("a1", "head"):
        debian_cluster.execute(grant + role, scene.database)
        leave_in_the_pool(url, f"SET ROLE {role}")
        scene.start(url=url, MIGRATION_TARGET=target).finish().assert_failed(
            2,
            "The session that the pooler lends has role set, by others or by env.py. Set "
            "MIGRATION_DATABASE_URL to the server itself; …",
        )
        owned = f"SELECT FROM pg_class WHERE relowner = '{role}'::regrole"
        assert scene.query(owned) == []
        leave_in_the_pool(url, "RESET ROLE")
        scene.start(url=url, MIGRATION_TARGET=target).finish().assert_ok()
    scene.assert_complete()


RUN = "context.run_migrations()"

ROLES = {
    "by env.py": 'connection.exec_driver_sql("SET LOCAL ROLE {role}")',
    "by the database": "pass",
}


@pytest.mark.parametrize("line", ROLES.values(), ids=ROLES.keys())
def test_a_role_that_is_meant(
    debian_cluster: Cluster,
    pgbouncer: Callable[[str], str],
    make_scene: MakeScene,
    role: str,
    line: str,
) -> None:
    """One that env.py becomes in its own transaction, or every login, makes all the tables."""
    env = FOREIGN_ENV.replace(RUN, f"{line.format(role=role)}\n        {RUN}")
    scene = make_scene(debian_cluster, MAKE_TABLE, env)
    debian_cluster.execute(f"GRANT ALL ON SCHEMA public TO {role}", scene.database)
    if line == "pass":
        login = f"ALTER ROLE {OWNER} IN DATABASE {scene.database}"
        debian_cluster.execute(f"{login} SET role = '{role}'")
    scene.start(url=pgbouncer(scene.database)).finish().assert_ok()
    scene.assert_complete()
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert scene.query(owners) == [(role,)]


MORE = f'op.execute("ALTER TABLE pace ADD COLUMN more int")\n{MAKE_TABLE}'


def test_a_lock_timeout_that_somebody_left_in_a_session(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """It is not taken for one that env.py has set itself, and nobody has to wait for long."""
    scene = make_scene(debian_cluster, MORE)
    url = pgbouncer(scene.database)
    scene.start(url=url, MIGRATION_TARGET="a1").finish().assert_ok()
    leave_in_the_pool(url, "SET lock_timeout = '1h'")
    with traffic(debian_cluster, scene.database) as found:
        with blocking(debian_cluster, scene.database) as other:
            starter = scene.start(url=url)
            starter.wait_for("Migration b2 Foreign b2 was held off by backend … (report, …): …")
            threading.Event().wait(1.5)
            other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert found.longest < 1, found.longest


def test_a_lock_timeout_of_env_py(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """What it sets for its own transaction holds for each revision's."""
    line = "connection.exec_driver_sql(\"SET LOCAL lock_timeout = '7s'\")"
    env = FOREIGN_ENV.replace(RUN, f"{line}\n        {RUN}")
    shown = "INSERT INTO steps (name) VALUES (current_setting('lock_timeout'))"
    scene = make_scene(debian_cluster, f'op.execute("{shown}")\n{MAKE_TABLE}', env)
    scene.start(url=pgbouncer(scene.database)).finish().assert_ok()
    assert scene.query("SELECT name FROM steps") == [("7s",)]


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (
            {"default_pool_size": 2},
            5,
            "Alembic's env.py failed: … The database is at base now; … Start again.",
        ),
        (
            {"query_timeout": 2},
            5,
            "Migration b2 Foreign b2 failed: … The database is at a1 now; … Start again.",
        ),
    ],
    ids=["two connections", "a limit"],
)
def test_a_pooler_that_does_not_fit(
    tmp_path: Path,
    debian_cluster: Cluster,
    make_scene: MakeScene,
    options: dict[str, Any],
    status: int,
    sentence: str,
) -> None:
    """One that lends too few, or not for long, is named; around it all is well."""
    scene = make_scene(debian_cluster, PAUSE)
    with running_pgbouncer(tmp_path / "pgbouncer", debian_cluster.port, **options) as port:
        url = debian_cluster.url(scene.database, port=port)
        scene.start(url=url).finish().assert_failed(status, f"{sentence} {AROUND}")
        direct = debian_cluster.url(scene.database)
        scene.start(url=url, MIGRATION_DATABASE_URL=direct).finish().assert_ok()
    scene.assert_complete()


def test_options_that_a_pooler_refuses(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """What waiting does not change ends at once, and says which way there is."""
    scene = make_scene(debian_cluster, MAKE_TABLE)
    url = f"{pgbouncer(scene.database)}?options=-csearch_path%3Dpublic"
    scene.start(url=url).finish().assert_failed(
        4,
        "A pooler at … refused the login: unsupported startup parameter: options. Leave "
        "that out of the URL; if migrations need it, set MIGRATION_DATABASE_URL to the server "
        "itself.",
    )


def test_a_scratch_database_that_the_pooler_does_not_know(
    tmp_path: Path, debian_cluster: Cluster
) -> None:
    """It is dropped again, and both settings that help are named; either of them does."""
    folder = project(tmp_path)
    with (
        debian_cluster.database() as name,
        debian_cluster.database() as scratch,
        running_pgbouncer(tmp_path / "pgbouncer", debian_cluster.port, only=name) as port,
    ):
        settings = {"APP_ENV": "prod", "DATABASE_URL": debian_cluster.url(name, port=port)}
        run(folder, "migrate", **settings).assert_ok()
        run(folder, "check", **settings).assert_failed(2, UNREACHABLE_SCRATCH)
        forget(debian_cluster, name)
        why = "The database has tables (…) but no revision recorded, and its revision cannot "
        run(folder, "adopt", **settings).assert_failed(
            8,
            f"{why}be determined: {UNREACHABLE_SCRATCH} "
            "Or record it yourself with `inv stamp --revision REVISION`. Nothing was changed.",
        )
        assert databases(debian_cluster, name) == []
        given = {"SCRATCH_DATABASE_URL": debian_cluster.url(scratch)}
        run(folder, "adopt", **settings, **given).assert_ok()
        forget(debian_cluster, name)
        direct = {"MIGRATION_DATABASE_URL": debian_cluster.url(name)}
        run(folder, "adopt", **settings, **direct).assert_ok()


@pytest.fixture
def users() -> Iterator[Path]:
    """PgBouncer's list of who may log in, where its user can read it."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "users")
        path.write_text(f'"{OWNER}" "{PASSWORD}"\n')
        yield path


@pytest.mark.parametrize(
    ("environment", "what"),
    [("dev", "does not exist and could not be created. …"), ("prod", "does not exist at …")],
)
def test_a_database_that_the_pooler_does_not_know(
    tmp_path: Path, debian_cluster: Cluster, users: Path, environment: str, what: str
) -> None:
    """It may be the pooler's list that has it not: that is said, also where it would be made."""
    folder = project(tmp_path)
    options = {"auth_type": "trust", "auth_file": str(users), "admin_users": OWNER}
    with (
        debian_cluster.database() as name,
        debian_cluster.database() as unknown,
        running_pgbouncer(tmp_path / "bouncer", debian_cluster.port, name, **options) as port,
    ):
        url = debian_cluster.url(unknown, port=port)
        run(folder, "migrate", DATABASE_URL=url, APP_ENV=environment).assert_failed(
            4,
            f"Database '{unknown}' {what} A pooler stands in between, which knows only those of "
            "its [databases]: name it there, or set MIGRATION_DATABASE_URL to the server itself.",
        )


def test_a_given_scratch_database_behind_the_pooler(
    tmp_path: Path, debian_cluster: Cluster, pgbouncer: Callable[[str], str]
) -> None:
    """It is free again afterwards, also for those who come directly."""
    folder = project(tmp_path)
    with debian_cluster.database() as name, debian_cluster.database() as scratch:
        settings = {"APP_ENV": "test", "DATABASE_URL": pgbouncer(name)}
        for url in (pgbouncer(scratch), debian_cluster.url(scratch)):
            run(folder, "check", SCRATCH_DATABASE_URL=url, **settings).assert_ok()


def test_the_application_leaves_nothing_in_the_pool(
    tmp_path: Path, debian_cluster: Cluster, pgbouncer: Callable[[str], str]
) -> None:
    """Its limit for statements holds for its own transactions, not for those of others."""
    folder = project(tmp_path)
    with debian_cluster.database() as name:
        url = pgbouncer(name)
        settings = {"APP_ENV": "test", "DATABASE_URL": url, "BACKEND_PORT": "0"}
        with running(folder, "start", **settings) as process:
            process.wait_for("Backend started")
            with closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
                cursor.execute("SHOW statement_timeout")
                assert cursor.fetchone() == ("0",)
            process.interrupt()
            process.finish().assert_ok()


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_concurrent_index(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene, driver: str
) -> None:
    """It is built, waits for who is there, and leaves no setting behind for others."""
    scene = make_scene(debian_cluster, BODY, ENVS[driver])
    url = pgbouncer(scene.database)
    scene.start(url=url, MIGRATION_TARGET="a1").finish().assert_ok()
    with blocking(debian_cluster, scene.database, SNAPSHOT):
        starter = scene.start(url=url)
        scene.wait_until(
            "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index"
            f" WHERE datname = '{scene.database}' AND phase = 'waiting for old snapshots')"
        )
    starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert scene.query(ITS_INDEX) == VALID
    with closing(psycopg2.connect(url)) as other:
        cursor = other.cursor()
        cursor.execute(
            "SELECT name FROM pg_settings WHERE source = 'session'"
            " AND (name LIKE '%_timeout' OR name = 'client_connection_check_interval')"
        )
        assert cursor.fetchall() == []


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
@pytest.mark.parametrize("body", ALONE.values(), ids=ALONE.keys())
def test_one_statement_is_tried_again(
    debian_cluster: Cluster,
    pgbouncer: Callable[[str], str],
    make_scene: MakeScene,
    body: str,
    driver: str,
) -> None:
    """Outside of a transaction as well, where nothing can be set, nobody has to wait for long."""
    scene = make_scene(debian_cluster, body, ENVS[driver])
    url = pgbouncer(scene.database)
    scene.start(url=url, MIGRATION_TARGET="a1").finish().assert_ok()
    with traffic(debian_cluster, scene.database) as found:
        with blocking(debian_cluster, scene.database) as other:
            starter = scene.start(url=url)
            starter.wait_for("Migration b2 Foreign b2 was held off by backend … (report, …): …")
            threading.Event().wait(1.5)
            other.cursor().execute("ROLLBACK")
        finished = starter.finish(SOON)
    finished.assert_ok()
    finished.assert_says("Migration b2 Foreign b2 got through after …")
    scene.assert_complete()
    assert not found.failures
    assert found.longest < 1, found.longest


STATEMENTS = {"an index": BODY, "a table": ALONE["in an autocommit block"]}


@pytest.mark.parametrize("pool_mode", ["transaction", "session"])
@pytest.mark.parametrize("body", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_the_budget_of_one_statement(
    tmp_path: Path, debian_cluster: Cluster, make_scene: MakeScene, body: str, pool_mode: str
) -> None:
    """When it is used up that is said, with who was in the way, and the next one goes on."""
    scene = make_scene(debian_cluster, body)
    with running_pgbouncer(
        tmp_path / "pgbouncer", debian_cluster.port, pool_mode=pool_mode
    ) as port:
        url = debian_cluster.url(scene.database, port=port)
        scene.start(url=url, MIGRATION_TARGET="a1").finish().assert_ok()
        with blocking(debian_cluster, scene.database, f"{SNAPSHOT} FOR UPDATE") as other:
            scene.start(url=url, MIGRATE_TRAFFIC_TIMEOUT="1").finish().assert_failed(
                5,
                "Migration b2 Foreign b2 was held off by backend … (report, idle in transaction, "
                "query since …); live traffic has held migrations off for more than 1 s. …",
            )
            other.cursor().execute("ROLLBACK")
        scene.start(url=url).finish().assert_ok()
    scene.assert_complete()


def test_progress_of_an_index(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """One that takes long says how far it is, and for whom it waits."""
    scene = make_scene(debian_cluster, BODY)
    url = pgbouncer(scene.database)
    scene.start(url=url, MIGRATION_TARGET="a1").finish().assert_ok()
    with blocking(debian_cluster, scene.database, SNAPSHOT):
        starter = scene.start(url=url)
        starter.wait_for(
            "Migration b2 Foreign b2: building by_name (waiting for old snapshots…), waiting for "
            "backend … (report, idle in transaction, query since …)"
        )
    starter.finish(SOON).assert_ok()
    scene.assert_complete()


@pytest.mark.parametrize("name", ["statement_timeout", "lock_timeout"])
def test_a_limit_that_would_cut_an_index_short(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene, name: str
) -> None:
    """It cannot be lifted where nothing may be set: the build is not begun, and goes around."""
    scene = make_scene(debian_cluster, BODY)
    debian_cluster.execute(f"ALTER DATABASE {scene.database} SET {name} = '2s'")
    url = pgbouncer(scene.database)
    scene.start(url=url).finish().assert_failed(
        2,
        f"The session that the pooler lends has {name} set, which would cut short what the "
        "revision does outside of a transaction. Set MIGRATION_DATABASE_URL to the server itself: "
        "no such limit holds there.",
    )
    assert scene.query(ITS_INDEX) == []
    direct = debian_cluster.url(scene.database)
    scene.start(url=url, MIGRATION_DATABASE_URL=direct).finish().assert_ok()
    scene.assert_complete()


def test_a_statement_that_a_limit_cuts_short(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """What is undone where it fails is run all the same, and the failure says what helps."""
    scene = make_scene(debian_cluster, f'{BLOCK}op.execute("SELECT pg_sleep(60)")\n{MAKE_TABLE}')
    debian_cluster.execute(f"ALTER DATABASE {scene.database} SET statement_timeout = '1s'")
    scene.start(url=pgbouncer(scene.database)).finish().assert_failed(
        5,
        "Migration b2 Foreign b2 failed: statement_timeout (1000 ms) ended its statement. Behind "
        "a pooler, … set MIGRATION_DATABASE_URL to the server itself. …",
    )


def test_a_pooler_of_statements(tmp_path: Path, debian_cluster: Cluster) -> None:
    """Where no transaction is possible, nothing is; that is said before anything is tried."""
    folder = project(tmp_path)
    with (
        debian_cluster.database() as name,
        running_pgbouncer(tmp_path / "bouncer", debian_cluster.port, pool_mode="statement") as port,
    ):
        pooled = debian_cluster.url(name, port=port)
        for task in ("wait-db", "migrate", "start"):
            run(folder, task, DATABASE_URL=pooled, BACKEND_PORT="0").assert_failed(
                2,
                "The pooler at … does not keep a transaction on one session. Let it "
                "pool transactions or "
                "sessions (pool_mode), or set MIGRATION_DATABASE_URL to the server itself and let "
                "the application have another pool.",
            )


def test_prepared_statements(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene
) -> None:
    """A driver that prepares them finds those of others, or none: that needs the server itself."""
    scene = make_scene(debian_cluster, BODY, ENVS["asyncpg"])
    pooled = pgbouncer(scene.database)
    with closing(psycopg2.connect(pooled)) as other:
        other.cursor().execute("PREPARE __asyncpg_stmt_1__ AS SELECT 1")
        other.commit()
        failed = scene.start(url=pooled).finish()
    failed.assert_failed(
        5, "…A pooler is in between: set MIGRATION_DATABASE_URL to the server itself.…"
    )
    direct = debian_cluster.url(scene.database)
    scene.start(url=pooled, MIGRATION_DATABASE_URL=direct).finish().assert_ok()
    scene.assert_complete()
