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
from tests.scenarios.process import (
    FOREIGN_ENV,
    Finished,
    project,
    relations,
    revisions,
    run,
    running,
    write_revision,
)
from tests.scenarios.scene import AUTOCOMMIT, MAKE_TABLE, SOON, MakeScene
from tests.scenarios.test_adoption import databases, forget
from tests.scenarios.test_concurrent_indexes import (
    ENVS,
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


HIDDEN_BLOCK = (
    'block = getattr(op.get_context(), "autocommit" + "_block")\n'
    'with block():\n    op.execute("SELECT 1")'
)
"""Its file does not tell."""

BLOCKED = "Set MIGRATION_DATABASE_URL to the server itself, and start again."


@pytest.mark.parametrize("body", [AUTOCOMMIT, CONCURRENT_INDEX], ids=["rows", "index"])
def test_autocommit_blocks(
    debian_cluster: Cluster,
    pgbouncer: Callable[[str], str],
    make_scene: MakeScene,
    body: str,
) -> None:
    """Nothing that they need can be set there: they are refused before anything changes."""
    scene = make_scene(debian_cluster, body)
    url = pgbouncer(scene.database)
    scene.start(url=url).finish().assert_failed(
        2,
        "Migration b2 Foreign b2 has an autocommit_block, and a pooler is between env.py and the "
        f"server. {BLOCKED}",
    )
    assert relations(debian_cluster, scene.database) == []
    direct = debian_cluster.url(scene.database)
    scene.start(url=url, MIGRATION_DATABASE_URL=direct).finish().assert_ok()
    scene.assert_complete()


@pytest.mark.parametrize(
    "leave",
    ['op.execute("COMMIT")', 'op.execute("/* now */ COMMIT")', HIDDEN_BLOCK],
    ids=["SQL", "SQL behind a comment", "a block of a helper"],
)
def test_leaving_a_transaction(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene, leave: str
) -> None:
    """It is refused when it happens, and the revision is rolled back."""
    scene = make_scene(debian_cluster, f'op.execute("SELECT 1")\n{leave}\n{MAKE_TABLE}')
    scene.start(url=pgbouncer(scene.database)).finish().assert_failed(
        2, f"The revision …, and a pooler is between env.py and the server. {BLOCKED}"
    )
    assert "t_b2" not in relations(debian_cluster, scene.database)
    assert revisions(debian_cluster, scene.database) == ["a1"]


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
            starter.wait_for("Migration b2 Foreign b2 is blocked by backend … (report, …); …")
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
    scene = make_scene(debian_cluster, MAKE_TABLE, ENVS["asyncpg"])
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
