"""What others or env.py have set in a session that a pooler lends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

from tests.boot.in_process import MakeScene, migrating, run_in, showing_status
from tests.cluster import OWNER, Cluster
from tests.history import HEAD
from tests.scenarios.live_traffic import blocking, traffic
from tests.scenarios.process import (
    FOREIGN_ENV,
    project,
    write_revision,
)
from tests.scenarios.scene import MAKE_TABLE, SOON

pytestmark = pytest.mark.slow


PAUSE = f'{MAKE_TABLE}\nop.execute("SELECT pg_sleep(3)")'


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
        run_in(folder, migrating, DATABASE_URL=debian_cluster.url(database)).assert_ok()
        debian_cluster.execute(f"CREATE SCHEMA other AUTHORIZATION {OWNER}", database)
        debian_cluster.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}")
        write_revision(folder / "alembic" / "versions", "901", HEAD, "op.execute('SELECT 1')")
        url = pgbouncer(database)
        leave_in_the_pool(url, f"SET {name} = {value}")
        run_in(folder, migrating, DATABASE_URL=url).assert_failed(
            2,
            f"The session that the pooler lends has {name} set, by others or by env.py. "
            "Set MIGRATION_DATABASE_URL to the server itself; …",
        )
        made = debian_cluster.query(
            "SELECT FROM pg_class WHERE relnamespace = 'other'::regnamespace", database
        )
        assert made == []
        run_in(folder, showing_status, DATABASE_URL=debian_cluster.url(database)).assert_says(
            "pending…901…"
        )


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
            found.wait_for_more()
            other.cursor().execute("ROLLBACK")
        starter.finish(SOON).assert_ok()
    scene.assert_complete()


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
