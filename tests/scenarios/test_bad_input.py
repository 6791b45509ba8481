"""What people and machines get wrong: each ends in the documented status and one sentence."""

import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from psycopg2 import sql

from alembic_boot.errors import HistoryBrokenError
from tests.cluster import Cluster, free_port
from tests.history import BEFORE_HEAD, HEAD, OURS
from tests.scenarios.process import (
    Finished,
    assert_untouched,
    contains_in_order,
    project,
    relations,
    revisions,
    run,
    running,
    write_revision,
)

pytestmark = pytest.mark.slow

SECRET = "a-long-random-text"


@dataclass(frozen=True)
class Case:
    """Variables that are wrong, and how a task ends because of them.

    `…` in the sentence stands for anything; `{url}`, `{port}` and `{database}` in both are those
    of an empty database that works.
    """

    name: str
    status: int
    sentence: str
    variables: dict[str, str] = field(default_factory=dict)
    task: str = "migrate"


ADVICE = (
    "Write it as postgresql://user:password@host:5432/database, with special characters "
    "percent-encoded (% is %25, @ is %40, / is %2F)."
)
LOGIN_ADVICE = "Correct the role, the password, the TLS settings or the options in DATABASE_URL."
OF_ZEROS = [it for it in OURS if it.startswith("00")]
TARGET_ADVICE = f"Name a revision, head (which is {HEAD}) or heads."
CASES = [
    Case(
        "wrong password",
        4,
        "PostgreSQL refused the login at postgresql://moriai_user:***@127.0.0.1:{port}/{database}: "
        'password authentication failed for user "moriai_user". ' + LOGIN_ADVICE,
        {"DATABASE_URL": "postgresql://moriai_user:not-this-one@127.0.0.1:{port}/{database}"},
    ),
    Case(
        "unknown role",
        4,
        "PostgreSQL refused the login at postgresql://nobody_here:***@127.0.0.1:{port}/{database}: "
        'password authentication failed for user "nobody_here". ' + LOGIN_ADVICE,
        {"DATABASE_URL": "postgresql://nobody_here:some-secret@127.0.0.1:{port}/{database}"},
        "start",
    ),
    Case(
        "unknown database in prod",
        4,
        "Database 'nowhere' does not exist at "
        "postgresql://moriai_user:***@127.0.0.1:{port}/nowhere. Create it, or correct the name; "
        "in dev and test `inv migrate` and `inv start` create it.",
        {
            "APP_ENV": "prod",
            "DATABASE_URL": "postgresql://moriai_user:moriai_password@127.0.0.1:{port}/nowhere",
        },
    ),
    Case(
        "unreachable host",
        3,
        "PostgreSQL at postgresql://moriai_user:***@127.0.0.1:1/x was not reachable within 1 s: "
        "Connection refused. Start it, or fix …; DB_WAIT_TIMEOUT sets how long to "
        "wait.",
        {
            "DATABASE_URL": "postgresql://moriai_user:some-secret@127.0.0.1:1/x",
            "DB_WAIT_TIMEOUT": "1",
        },
        "wait-db",
    ),
    Case(
        "unknown host",
        3,
        "PostgreSQL at postgresql://moriai_user:***@no.such.host.invalid:5432/x was not reachable "
        "within 1 s: … Start it, or fix …; DB_WAIT_TIMEOUT sets how long to wait.",
        {
            "DATABASE_URL": "postgresql://moriai_user:some-secret@no.such.host.invalid:5432/x",
            "DB_WAIT_TIMEOUT": "1",
        },
        "wait-db",
    ),
    Case(
        "no URL at all",
        2,
        f"DATABASE_URL is not a PostgreSQL URL. {ADVICE}",
        {"DATABASE_URL": "127.0.0.1:5432"},
    ),
    Case(
        "another database's URL",
        2,
        f"DATABASE_URL is not a PostgreSQL URL. {ADVICE}",
        {"DATABASE_URL": "mysql://moriai_user:some-secret@127.0.0.1/x"},
    ),
    Case(
        "percent sign as it is in a URL",
        2,
        f"DATABASE_URL is malformed. {ADVICE}",
        {"DATABASE_URL": "postgresql://moriai_user:100%secret@127.0.0.1:5432/x"},
    ),
    Case(
        "URL without a database",
        2,
        f"DATABASE_URL names no database. {ADVICE}",
        {"DATABASE_URL": "postgresql://moriai_user:some-secret@127.0.0.1:5432"},
    ),
    Case(
        "URL with a word as port",
        2,
        "DATABASE_URL …port… " + ADVICE,
        {"DATABASE_URL": "postgresql://moriai_user:some-secret@127.0.0.1:https/x"},
    ),
    Case(
        "unknown APP_ENV",
        2,
        "APP_ENV='staging' is none of dev, test, prod. Set it to one of those, or unset it.",
        {"APP_ENV": "staging", "DATABASE_URL": "{url}"},
    ),
    Case(
        "prod without a database",
        2,
        "No database is configured. APP_ENV=prod needs DATABASE_URL, or POSTGRES_HOST with "
        "POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB.",
        {"APP_ENV": "prod"},
    ),
    Case(
        "prod without a password",
        2,
        "POSTGRES_PASSWORD is not set. APP_ENV=prod has no default for it: set it, or "
        "POSTGRES_PASSWORD_FILE.",
        {"APP_ENV": "prod", "POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": "{port}"},
    ),
    Case(
        "RELOAD in prod",
        2,
        "RELOAD is for development only, and APP_ENV is prod. Unset RELOAD.",
        {"APP_ENV": "prod", "DATABASE_URL": "{url}", "RELOAD": "true", "JWT_SECRET": SECRET},
        "start",
    ),
    Case(
        "RELOAD with workers",
        2,
        "RELOAD works with one worker only. Unset RELOAD or WEB_CONCURRENCY.",
        {"DATABASE_URL": "{url}", "RELOAD": "true", "WEB_CONCURRENCY": "2"},
        "start",
    ),
    Case(
        "start in prod without JWT_SECRET",
        2,
        "JWT_SECRET is not set. "
        "Serving in production needs it: set a long random text, or JWT_SECRET_FILE.",
        {"APP_ENV": "prod", "DATABASE_URL": "{url}"},
        "start",
    ),
    Case(
        "serve in prod without JWT_SECRET",
        2,
        "JWT_SECRET is not set. "
        "Serving in production needs it: set a long random text, or JWT_SECRET_FILE.",
        {"APP_ENV": "prod", "DATABASE_URL": "{url}"},
        "serve",
    ),
    Case(
        "a word as port",
        2,
        "BACKEND_PORT='http' is not a number from 0 to 65535. Set it to one of those, or unset it.",
        {"DATABASE_URL": "{url}", "BACKEND_PORT": "http"},
        "start",
    ),
    Case(
        "a word as timeout",
        2,
        "DB_WAIT_TIMEOUT='long' is not a number of seconds from 0 up. Set it to one of those, or "
        "unset it.",
        {"DATABASE_URL": "{url}", "DB_WAIT_TIMEOUT": "long"},
    ),
    Case(
        "relative target",
        2,
        "The target '-1' is relative, and would mean something else at every start. "
        "Name a revision, head or heads.",
        {"DATABASE_URL": "{url}", "MIGRATION_TARGET": "-1"},
    ),
    Case(
        "relative target from a revision",
        2,
        "The target 'head-1' is relative, and would mean something else at every start. "
        "Name a revision, head or heads.",
        {"DATABASE_URL": "{url}", "MIGRATION_TARGET": "head-1"},
    ),
    Case(
        "unknown target",
        2,
        f"The target '999' is not a revision of this history. {TARGET_ADVICE}",
        {"DATABASE_URL": "{url}", "MIGRATION_TARGET": "999"},
    ),
    Case(
        "ambiguous target",
        2,
        f"The target '00' could be {', '.join(OF_ZEROS)}. {TARGET_ADVICE}",
        {"DATABASE_URL": "{url}", "MIGRATION_TARGET": "00"},
    ),
    Case(
        "no such configuration",
        2,
        "nowhere.ini does not exist. Set ALEMBIC_CONFIG, or run this where alembic.ini is.",
        {"DATABASE_URL": "{url}", "ALEMBIC_CONFIG": "nowhere.ini"},
    ),
    Case(
        "an address of somebody else",
        11,
        "Port 8000 on 192.0.2.1 cannot be used: Cannot assign requested address. "
        "Choose another: BACKEND_HOST and BACKEND_PORT.",
        {"DATABASE_URL": "{url}", "BACKEND_HOST": "192.0.2.1", "BACKEND_PORT": "8000"},
        "start",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refusal(
    case: Case, tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A wrong setting ends with its status and one sentence, before the database is touched."""
    known = {"url": database_url, "port": str(cluster.port), "database": database}
    variables = {name: text.format(**known) for name, text in case.variables.items()}
    # Somebody may be serving on the port that is the default.
    finished = run(project(tmp_path), case.task, **{"BACKEND_PORT": "0", **variables})
    finished.assert_failed(case.status, case.sentence.format(**known))
    assert_untouched(cluster, database)


@pytest.mark.parametrize("app_env", ["dev", "test"])
def test_unknown_database_is_created(tmp_path: Path, cluster: Cluster, app_env: str) -> None:
    """In dev and test a missing database is created and migrated."""
    name = f"test_{uuid4().hex[:12]}"
    try:
        finished = run(
            project(tmp_path), "migrate", APP_ENV=app_env, DATABASE_URL=cluster.url(name)
        )
        finished.assert_ok()
        finished.assert_says(
            "Waiting for PostgreSQL... …",
            f"Database {name} created",
            "PostgreSQL is ready (…)",
            "Database migrations completed successfully",
        )
        assert revisions(cluster, name) == [HEAD]
    finally:
        cluster.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


@pytest.fixture
def awkward_role(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Give a role whose password has what URLs, ini files and shells take for their own."""
    role, password = f"role_{uuid4().hex[:8]}", "100%s/of@it: $HOME #%(here)s 'x\""
    cluster.execute(
        sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
            sql.Identifier(role), sql.Literal(password)
        )
    )
    try:
        yield role, password
    finally:
        cluster.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.mark.parametrize("form", ["parts", "file", "url"])
def test_awkward_password(
    tmp_path: Path, cluster: Cluster, awkward_role: tuple[str, str], form: str
) -> None:
    """A password with `%` works raw in POSTGRES_PASSWORD and its file, and encoded in a URL."""
    role, password = awkward_role
    name = f"test_{uuid4().hex[:12]}"
    parts = {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(cluster.port),
        "POSTGRES_USER": role,
        "POSTGRES_DB": name,
    }
    file = tmp_path / "password"
    file.write_text(f"{password}\n")
    variables = {
        "parts": {**parts, "POSTGRES_PASSWORD": password},
        "file": {**parts, "POSTGRES_PASSWORD_FILE": str(file)},
        "url": {"DATABASE_URL": cluster.url(name, role, quote(password, safe=""))},
    }[form]
    folder = project(tmp_path)
    try:
        with running(folder, "start", BACKEND_PORT="0", **variables) as inv:
            ready = httpx.get(f"{inv.url}/health/ready")
            inv.signal(signal.SIGTERM)
            finished = inv.finish()
        assert (finished.status, ready.status_code) == (0, 200)
        for secret in (password, quote(password, safe="")):
            assert secret not in "\n".join([*finished.stdout, *finished.stderr])
        finished.assert_says(
            f"Waiting for PostgreSQL... (postgresql://{role}:***@127.0.0.1:{cluster.port}/{name})"
        )
        assert revisions(cluster, name) == [HEAD]
    finally:
        cluster.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def test_raising_revision_in_the_middle(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A revision that raises takes its own changes back and keeps those before it."""
    folder = project(tmp_path)
    versions = folder / "alembic" / "versions"
    create = 'op.create_table("{}", sa.Column("id", sa.Integer))'
    write_revision(versions, "901", HEAD, create.format("kept"))
    broken = create.format("gone") + '\nop.execute("INSERT INTO nowhere VALUES (1)")'
    write_revision(versions, "902", "901", broken, title="It breaks")
    write_revision(versions, "903", "902", create.format("never"))
    finished = run(folder, "migrate", APP_ENV="prod", DATABASE_URL=database_url)
    finished.assert_failed(
        5,
        "Migration 902 It breaks failed: 902_test.py, line 13: ProgrammingError: "
        '(psycopg2.errors.UndefinedTable) relation "nowhere" does not exist. '
        "The database is at 901 now; what the failure's transaction had changed was rolled "
        "back. Fix the revision and start again.",
    )
    assert revisions(cluster, database) == ["901"]
    assert {"kept", "gone", "never"} & set(relations(cluster, database)) == {"kept"}

    write_revision(versions, "902", "901", create.format("fixed"), title="It is fixed")
    run(folder, "migrate", APP_ENV="prod", DATABASE_URL=database_url).assert_ok()
    assert revisions(cluster, database) == ["903"]


def test_revision_that_exits(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A revision that calls sys.exit(0) has failed: it did not come to its end."""
    folder = project(tmp_path)
    write_revision(folder / "alembic" / "versions", "901", HEAD, "raise SystemExit(0)")
    finished = run(folder, "migrate", DATABASE_URL=database_url)
    finished.assert_failed(5, "Migration 901 A test's own failed: …SystemExit…")
    assert revisions(cluster, database) == [HEAD]


def break_syntax(versions: Path) -> None:
    (versions / "901_test.py").write_text('revision = "901"\ndef upgrade(:\n')


def empty(versions: Path) -> None:
    shutil.rmtree(versions)
    versions.mkdir()


def remove(versions: Path) -> None:
    shutil.rmtree(versions)


def fork(versions: Path) -> None:
    write_revision(versions, "901a", HEAD)
    write_revision(versions, "901b", HEAD)


def duplicate(versions: Path) -> None:
    shutil.copy(versions / "008_video_urls.py", versions / "008_again.py")


def orphan(versions: Path) -> None:
    write_revision(versions, "902", "901")


def close_circle(versions: Path) -> None:
    first = versions / "001_users.py"
    first.write_text(
        first.read_text().replace("down_revision: str | None = None", f'down_revision = "{HEAD}"')
    )


def close_circle_beside(versions: Path) -> None:
    write_revision(versions, "a", "b")
    write_revision(versions, "b", "a")


def depend_on_nothing(versions: Path) -> None:
    write_revision(versions, "901", HEAD, constants='depends_on = "nowhere"')


def import_nothing(versions: Path) -> None:
    write_revision(versions, "901", HEAD, constants="import no_such_module")


def leave_out_id(versions: Path) -> None:
    (versions / "901_test.py").write_text("def upgrade() -> None: ...\n")


HISTORIES: dict[Callable[[Path], None], str] = {
    break_syntax: "The migration history is broken: 901_test.py, line 2: …. "
    "Fix it and start again; the database was not touched.",
    empty: "There are no revisions in …/alembic/versions. "
    "Check that the folder was shipped, or write the first with `inv revision --message first`.",
    remove: "There are no revisions in …/alembic/versions. "
    "Check that the folder was shipped, or write the first with `inv revision --message first`.",
    fork: "The history has 2 heads: 901a, 901b. "
    "Join them with `inv merge --message 'Join 901a and 901b'`, or set MIGRATION_TARGET=heads.",
    duplicate: "The migration history is broken: the same id is there twice: 008 is in "
    "…/008_again.py and in …/008_video_urls.py. Keep the file that databases have applied. …",
    orphan: "The migration history is broken: Revision 901 …is not present. "
    "Fix it and start again; the database was not touched.",
    close_circle: "The migration history is broken: …ycle…. "
    "Fix it and start again; the database was not touched.",
    close_circle_beside: "The migration history is broken: …ycle…. "
    "Fix it and start again; the database was not touched.",
    depend_on_nothing: "The migration history is broken: …nowhere…. "
    "Fix it and start again; the database was not touched.",
    leave_out_id: "The migration history is broken: …901_test.py…. "
    "Fix it and start again; the database was not touched.",
}


@pytest.mark.parametrize("spoil", HISTORIES, ids=lambda spoil: spoil.__name__)
def test_broken_history(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    database_url: str,
    spoil: Callable[[Path], None],
) -> None:
    """A history that cannot be applied is refused before the database is touched."""
    folder = project(tmp_path)
    spoil(folder / "alembic" / "versions")
    finished = run(folder, "migrate", DATABASE_URL=database_url)
    finished.assert_failed(9, HISTORIES[spoil])
    assert_untouched(cluster, database)


def test_package_that_is_missing(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Nothing is wrong with a history that needs a package: the environment lacks the package."""
    folder = project(tmp_path)
    import_nothing(folder / "alembic" / "versions")
    finished = run(folder, "migrate", DATABASE_URL=database_url)
    finished.assert_failed(2, "901_test.py, line … needs the package no_such_module, which …")
    assert_untouched(cluster, database)


def test_broken_history_in_development(tmp_path: Path, database_url: str) -> None:
    """In development a broken history is said and the application still answers, not ready."""
    folder = project(tmp_path)
    break_syntax(folder / "alembic" / "versions")
    with running(folder, "start", DATABASE_URL=database_url, BACKEND_PORT="0") as inv:
        ready = httpx.get(f"{inv.url}/health/ready")
        live = httpx.get(f"{inv.url}/health/live")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
    assert (ready.status_code, live.status_code) == (503, 200)
    assert ready.json()["reason"] == HistoryBrokenError.words
    finished.assert_ok()
    finished.assert_says(
        "The migration history is broken: 901_test.py, line 2…",
        "Database migrations failed, but continuing...",
        "Starting Uvicorn server...",
    )
    finished.assert_never_says("Seeding …")


def test_two_heads_as_target(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """MIGRATION_TARGET=heads applies a history with two heads."""
    folder = project(tmp_path)
    fork(folder / "alembic" / "versions")
    finished = run(folder, "migrate", DATABASE_URL=database_url, MIGRATION_TARGET="heads")
    finished.assert_ok()
    finished.assert_says("Schema revision: 901a, 901b (head)")
    assert revisions(cluster, database) == ["901a", "901b"]


@contextmanager
def listening(port: int) -> Iterator[None]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        yield


def test_port_in_use(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """A taken port ends the start with a way out, before the database has been touched."""
    port = free_port()
    with listening(port):
        finished = run(
            project(tmp_path), "start", DATABASE_URL=database_url, BACKEND_PORT=str(port)
        )
    finished.assert_failed(
        11,
        f"Port {port} on 127.0.0.1 is taken. Stop what listens there, or choose another: "
        f"`BACKEND_PORT={port + 1} inv start`.",
    )
    assert finished.stdout == ()
    assert_untouched(cluster, database)


def test_port_flag(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """`--port` wins over BACKEND_PORT, also where it is the taken one."""
    port = free_port()
    with listening(port):
        finished = run(
            project(tmp_path),
            "start",
            "--port",
            str(port),
            DATABASE_URL=database_url,
            BACKEND_PORT="0",
        )
    finished.assert_failed(11, f"Port {port} on 127.0.0.1 is taken. …")
    assert_untouched(cluster, database)


def test_data_folder_is_a_file(tmp_path: Path) -> None:
    """A file in the place of `.data` ends the start with what to do about it."""
    folder = project(tmp_path)
    (folder / ".data").write_text("in the way")
    finished = run(folder, "start", BACKEND_PORT="0")
    finished.assert_failed(
        11,
        "The embedded PostgreSQL under .data cannot be used: …File exists…. "
        "Make the folder writable, look at postgres/log in it, or set DATABASE_URL.",
    )


def test_data_folder_is_not_postgres(tmp_path: Path) -> None:
    """A folder that PostgreSQL did not make is left as it is."""
    folder = project(tmp_path)
    data = folder / ".data" / "postgres"
    data.mkdir(parents=True)
    (data / "letter.txt").write_text("somebody's own")
    finished = run(folder, "migrate")
    finished.assert_failed(11, "The embedded PostgreSQL under .data cannot be used: …")
    assert (data / "letter.txt").read_text() == "somebody's own"


def test_data_folder_is_read_only(tmp_path: Path) -> None:
    """A folder where nothing can be made ends the start with what to do about it."""
    folder = project(tmp_path)
    if os.geteuid() == 0:  # root's way is barred by the kernel's own folders only
        (folder / ".data").symlink_to("/proc")
    else:
        (folder / ".data").mkdir(mode=0o500)
    finished = run(folder, "migrate")
    finished.assert_failed(
        11,
        "The embedded PostgreSQL under .data cannot be used: …. "
        "Make the folder writable, look at postgres/log in it, or set DATABASE_URL.",
    )


def test_env_file(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """A `.env` file is read in development; keys that it shares with other tools are left alone."""
    folder = project(tmp_path)
    (folder / ".env").write_text(
        f"COMPOSE_PROJECT_NAME=moriai\nexport FOO='b a r'\nNODE_ENV=\n# a comment\n"
        f"DATABASE_URL={database_url}\nMIGRATION_TARGET=007\n"
    )
    run(folder, "migrate").assert_ok()
    assert revisions(cluster, database) == ["007"]
    run(folder, "migrate", MIGRATION_TARGET=HEAD).assert_ok()
    assert revisions(cluster, database) == [HEAD]


def test_env_file_in_prod(tmp_path: Path, database_url: str) -> None:
    """Outside development a `.env` file that somebody left there is not read."""
    folder = project(tmp_path)
    (folder / ".env").write_text(f"DATABASE_URL={database_url}\n")
    run(folder, "migrate", APP_ENV="prod").assert_failed(2, "No database is configured. …")


def test_env_file_of_bytes(tmp_path: Path, database_url: str) -> None:
    """A `.env` file that is no text ends in a sentence."""
    folder = project(tmp_path)
    (folder / ".env").write_bytes(b"FOO=\xff\xfe\n")
    finished = run(folder, "migrate", DATABASE_URL=database_url)
    finished.assert_failed(2, ".env cannot be read: … Fix or remove it.")


def test_unmanaged_database(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A database with tables and no revision is refused and left as it is."""
    cluster.execute("CREATE TABLE users (id int)", database)
    finished = run(project(tmp_path), "migrate", DATABASE_URL=database_url)
    finished.assert_failed(8, "The schema is that of no revision; 001 Users is nearest, …")
    assert relations(cluster, database) == ["users"]


def test_unmanaged_database_in_development(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """In development `start` serves an unmanaged database all the same, and says it isn't ready."""
    cluster.execute("CREATE TABLE users (id int)", database)
    with running(project(tmp_path), "start", DATABASE_URL=database_url, BACKEND_PORT="0") as inv:
        ready = httpx.get(f"{inv.url}/health/ready")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
    assert (ready.status_code, ready.json()["state"]) == (503, "unmanaged")
    finished.assert_ok()
    finished.assert_says("Database migrations failed, but continuing...", "Backend started")
    assert relations(cluster, database) == ["users"]


def migrated(folder: Path, url: str) -> None:
    run(folder, "migrate", DATABASE_URL=url).assert_ok()


def test_unknown_revision(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A database at a revision that this history does not have is refused, both sides named."""
    folder = project(tmp_path)
    migrated(folder, database_url)
    cluster.execute("UPDATE alembic_version SET version_num = 'f00'", database)
    finished = run(folder, "migrate", DATABASE_URL=database_url)
    finished.assert_failed(
        7,
        f"The database is at f00, and f00 is not in this release's history, whose head is {HEAD}. "
        "Bring the applied file back (check out its branch or commit), run `inv rollback`, come "
        "back, and run `inv migrate`. Or throw this development database away: run `dropdb …`, …",
    )
    assert revisions(cluster, database) == ["f00"]


def test_past(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """A database beyond a pinned target is refused: going down must be asked for."""
    folder = project(tmp_path)
    migrated(folder, database_url)
    finished = run(folder, "migrate", DATABASE_URL=database_url, MIGRATION_TARGET="006")
    finished.assert_failed(
        7,
        f"The database is at {HEAD}, beyond the target 006. Set MIGRATION_TARGET={HEAD} to stay "
        "there, leave it out to go up to head, or run `inv rollback --target 006` (or "
        "MIGRATION_ROLLBACK=true) to go down.",
    )
    assert revisions(cluster, database) == [HEAD]


def test_rollback_by_environment(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """MIGRATION_ROLLBACK goes to the parent of head, and never one step further at a restart."""
    folder = project(tmp_path)
    migrated(folder, database_url)
    finished = run(folder, "migrate", DATABASE_URL=database_url, MIGRATION_ROLLBACK="true")
    finished.assert_ok()
    finished.assert_says(f"Reverted {HEAD} … (… ms)", f"Schema revision: {BEFORE_HEAD}")
    assert revisions(cluster, database) == [BEFORE_HEAD]
    with running(
        folder, "start", DATABASE_URL=database_url, MIGRATION_ROLLBACK="true", BACKEND_PORT="0"
    ) as inv:
        ready = httpx.get(f"{inv.url}/health/ready")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
    assert (ready.status_code, ready.json()["current"]) == (200, [BEFORE_HEAD])
    finished.assert_ok()
    finished.assert_says(
        "MIGRATION_ROLLBACK is set: replicas that disagree about it move the schema to and fro",
        "Database migrations completed successfully (already up to date)",
        f"Schema revision: {BEFORE_HEAD}",
        f"Seeding skipped: the schema is pinned to {BEFORE_HEAD}",
        "Backend started",
    )
    assert revisions(cluster, database) == [BEFORE_HEAD]


def plant_application(folder: Path, code: str) -> None:
    (folder / "planted.py").write_text(dedent(code))


FAILS_WITH_A_MESSAGE = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "The kettle is cold."})
"""


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        pytest.param(
            "no_such_module:app",
            "",
            "The application no_such_module:app cannot be loaded: …no_such_module…. "
            "Fix it, or name another in ASGI_APP.",
            id="no module",
        ),
        pytest.param(
            "planted:app",
            "",
            "The application planted:app cannot be loaded: …app…. "
            "Fix it, or name another in ASGI_APP.",
            id="no attribute",
        ),
        pytest.param(
            "planted",
            "",
            "The application planted cannot be loaded: …. Fix it, or name another in ASGI_APP.",
            id="no colon",
        ),
        pytest.param(
            "planted:app",
            "def app(:",
            "The application planted:app cannot be loaded: planted.py, line 1: invalid syntax. "
            "Fix it, or name another in ASGI_APP.",
            id="syntax error",
        ),
        pytest.param(
            "planted:app",
            "raise RuntimeError('no kettle')",
            "The application planted:app cannot be loaded: planted.py, line 1: RuntimeError: no "
            "kettle. "
            "Fix it, or name another in ASGI_APP.",
            id="raises at import",
        ),
        pytest.param(
            "planted:app",
            "raise SystemExit(0)",
            "The application planted:app cannot be loaded: planted.py, line 1: SystemExit: 0. "
            "Fix it, or name another in ASGI_APP.",
            id="exits at import",
        ),
        pytest.param(
            "planted:app",
            FAILS_WITH_A_MESSAGE,
            "The application planted:app did not start. The lines above say why.",
            id="start-up fails",
        ),
    ],
)
def test_application_that_cannot_start(
    tmp_path: Path, database_url: str, name: str, code: str, sentence: str, workers: str
) -> None:
    """An application that cannot be loaded or started ends the start, whatever the workers."""
    folder = project(tmp_path)
    plant_application(folder, code)
    with running(
        folder,
        "serve",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        ASGI_APP=name,
        WEB_CONCURRENCY=workers,
        PYTHONPATH=str(folder),
    ) as inv:
        finished = inv.finish()
        inv.assert_nothing_left()
    finished.assert_failed(11, sentence)
    if code == FAILS_WITH_A_MESSAGE:
        # Once, whatever the workers: the first to fail ends the others, maybe before they say it.
        finished.assert_says("The kettle is cold.")


@pytest.mark.parametrize("variables", [{}, {"WEB_CONCURRENCY": "2"}, {"RELOAD": "true"}])
def test_application_that_is_nowhere(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, variables: dict[str, str]
) -> None:
    """A start finds it out before the schema moves."""
    finished = run(
        project(tmp_path),
        "start",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        ASGI_APP="backend.nope:app",
        **variables,
    )
    finished.assert_failed(
        11,
        "The application backend.nope:app cannot be loaded: there is no module backend.nope. "
        "Fix it, or name another in ASGI_APP.",
    )
    assert_untouched(cluster, database)


LIFESPAN = """
from contextlib import asynccontextmanager

from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    {before}
    yield
    {after}

app = FastAPI(lifespan=lifespan)
"""


@pytest.mark.parametrize(
    ("raised", "cause"),
    [
        ("raise RuntimeError('no kettle')", "planted.py, line 8: RuntimeError: no kettle"),
        ("raise SystemExit(0)", "planted.py, line 8: SystemExit: 0"),
        ("import json; json.loads('{')", "planted.py, line 8: JSONDecodeError: …"),
    ],
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_lifespan_that_raises(
    tmp_path: Path, database_url: str, workers: str, raised: str, cause: str
) -> None:
    """One sentence says where and what; workers say it in the log, each for itself."""
    folder = project(tmp_path)
    plant_application(folder, LIFESPAN.format(before=raised, after="pass"))
    with running(
        folder,
        "start",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        ASGI_APP="planted:app",
        WEB_CONCURRENCY=workers,
        PYTHONPATH=str(folder),
    ) as inv:
        finished = inv.finish()
        inv.assert_nothing_left()
    what = "The application planted:app did not start"
    if workers == "1":
        finished.assert_failed(11, f"{what}: {cause}. Fix the application and start again.")
    else:
        finished.assert_failed(11, f"{what}. The lines above say why.")
        finished.assert_says(cause)


def test_lifespan_that_raises_at_its_end(tmp_path: Path, database_url: str) -> None:
    """It is a line of the log; the requests were served all the same."""
    folder = project(tmp_path)
    raised = "raise RuntimeError('no kettle')"
    plant_application(folder, LIFESPAN.format(before="pass", after=raised))
    with running(
        folder,
        "serve",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        ASGI_APP="planted:app",
        PYTHONPATH=str(folder),
    ) as inv:
        inv.wait_for("Serving on …")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
    finished.assert_ok()
    finished.assert_says("planted.py, line 10: RuntimeError: no kettle")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_database_that_goes_away_before_serving(tmp_path: Path, workers: str) -> None:
    """The application's own check of its connection ends the start-up without a traceback."""
    finished = run(
        project(tmp_path),
        "serve",
        DATABASE_URL="postgresql://moriai_user:some-secret@127.0.0.1:1/x",
        BACKEND_PORT="0",
        WEB_CONCURRENCY=workers,
    )
    what = "The application backend.main:app did not start"
    cause = "The database at …127.0.0.1:1/x cannot be used: Connection refused. Check that it runs"
    if workers == "1":
        finished.assert_failed(11, f"{what}: {cause}…")
    else:
        finished.assert_failed(11, f"{what}. The lines above say why.")
        finished.assert_says(f"{cause}…")
    finished.assert_never_says("Database connection verified")


SEEDS = {
    "raises": "raise RuntimeError('no stories')",
    "exits": "raise SystemExit(0)",
    "fails in SQL": "connection.execute(text('SELECT nothing'))",
}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param(SEEDS["raises"], "RuntimeError: no stories.", id="raises"),
        pytest.param(SEEDS["exits"], "SystemExit: 0.", id="exits"),
        pytest.param(
            SEEDS["fails in SQL"],
            'ProgrammingError: (psycopg2.errors.UndefinedColumn) column "nothing" does not exist.',
            id="fails in SQL",
        ),
    ],
)
def test_seed_callable_that_raises(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, body: str, sentence: str
) -> None:
    """A seed callable that raises ends the start before it serves, and leaves nothing behind."""
    folder = project(tmp_path)
    plant_application(
        folder,
        f"""
        from sqlalchemy import Connection, text

        def seed(connection: Connection) -> None:
            connection.execute(text("INSERT INTO users (email) VALUES ('a@b.c')"))
            {body}
        """,
    )
    finished = run(
        folder,
        "start",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        SEED_CALLABLE="planted:seed",
        PYTHONPATH=str(folder),
    )
    finished.assert_failed(
        10,
        f"Seeding failed: planted.py, line 6: {sentence} "
        "Nothing of it was kept. Fix planted:seed, or start with SEED=false.",
    )
    finished.assert_says("Seeding initial data...")
    finished.assert_never_says("Starting Uvicorn server...")
    assert cluster.query("SELECT count(*) FROM users", database) == [(0,)]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("backend.nothing:seed", "…cannot be imported: …. Write it as module:function, …"),
        ("backend.seeds:nothing", "…cannot be imported: …. Write it as module:function, …"),
        ("backend.seeds", "…is not callable. Write it as module:function."),
        ("not a name", "…cannot be imported: …. Write it as module:function, …"),
    ],
)
def test_unknown_seed_callable(tmp_path: Path, database_url: str, name: str, sentence: str) -> None:
    """A seed callable that does not exist is a wrong setting."""
    folder = project(tmp_path)
    migrated(folder, database_url)
    finished = run(folder, "seed", DATABASE_URL=database_url, SEED_CALLABLE=name)
    finished.assert_failed(2, sentence)


@pytest.mark.parametrize(
    ("code", "status", "sentence"),
    [
        ("raise ValueError('no tea')", 10, "Seeding failed: planted.py, line 1: ValueError: no …"),
        ("import no_such_package", 2, "planted.py, line 1 needs the package no_such_package, …"),
    ],
)
def test_seed_module_that_does_not_import(
    tmp_path: Path, database_url: str, code: str, status: int, sentence: str
) -> None:
    """Its own code is at fault, and not the setting that names it."""
    folder = project(tmp_path)
    plant_application(folder, code)
    migrated(folder, database_url)
    finished = run(folder, "seed", DATABASE_URL=database_url, SEED_CALLABLE="planted:seed")
    finished.assert_failed(status, sentence)


def objects(finished: Finished) -> list[dict[str, object]]:
    """Return every line of both streams as the JSON object that it must be."""
    found = [json.loads(line) for line in (*finished.stdout, *finished.stderr)]
    assert all(isinstance(line, dict) for line in found)
    assert all({"timestamp", "level", "logger", "message"} <= set(line) for line in found)
    return found


@pytest.mark.parametrize("workers", ["1", "2"])
def test_json_log(tmp_path: Path, database_url: str, workers: str) -> None:
    """With LOG_FORMAT=json a whole start is one JSON object a line, Uvicorn's lines included."""
    with running(
        project(tmp_path),
        "start",
        DATABASE_URL=database_url,
        BACKEND_PORT="0",
        LOG_FORMAT="json",
        WEB_CONCURRENCY=workers,
    ) as inv:
        inv.wait_for("…Backend started…", count=int(workers))
        assert httpx.get(f"{inv.url}/health/live").status_code == 200
        assert httpx.get(f"{inv.url}/api/v1/books").status_code == 200
        inv.wait_for("…GET /api/v1/books…")
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
    assert finished.status == 0
    found = objects(finished)
    messages = [str(line["message"]) for line in found]
    assert contains_in_order(
        messages,
        [
            "Running database migrations...",
            f"Applied {HEAD} …",
            "Database migrations completed successfully",
            "Seeding initial data...",
            "Starting Uvicorn server...",
            "Database connection verified",
            "Backend started",
            "…GET /api/v1/books…",
        ],
    )
    assert [line for line in messages if "/health/" in line] == []
    assert {"uvicorn.error", "backend.api.request_log"} <= {line["logger"] for line in found}
    [request] = [line for line in found if line["logger"] == "backend.api.request_log"]
    assert request.keys() >= {"request_id", "method", "path", "status", "duration_ms"}


def test_json_log_of_debugging(tmp_path: Path, database_url: str) -> None:
    """LOG_LEVEL=debug adds Alembic's own lines, as JSON like the others."""
    finished = run(
        project(tmp_path),
        "migrate",
        DATABASE_URL=database_url,
        LOG_FORMAT="json",
        LOG_LEVEL="debug",
    )
    assert finished.status == 0
    loggers = {str(line["logger"]) for line in objects(finished)}
    assert {"alembic.runtime.migration", "alembic_boot.migration.migrate"} <= loggers


def test_json_log_of_a_failure(tmp_path: Path, database_url: str) -> None:
    """A failing migration ends in a JSON object on stderr, what libraries print included."""
    folder = project(tmp_path)
    write_revision(
        folder / "alembic" / "versions",
        "901",
        HEAD,
        """
        import warnings
        warnings.warn("A warning of a revision")
        raise RuntimeError("on purpose")
        """,
    )
    finished = run(folder, "migrate", DATABASE_URL=database_url, LOG_FORMAT="json")
    assert finished.status == 5
    [failure] = [json.loads(line) for line in finished.stderr]
    assert (failure["level"], failure["logger"]) == ("ERROR", "alembic_boot")
    assert failure["message"].startswith("Migration 901 A test's own failed: ")
    assert any("A warning of a revision" in str(line["message"]) for line in objects(finished))


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"APP_ENV": "staging"}, 2),
        ({"DATABASE_URL": "postgresql://u:some-secret@127.0.0.1:1/x", "DB_WAIT_TIMEOUT": "0"}, 3),
        ({"DATABASE_URL": "{url}", "ASGI_APP": "no_such_module:app"}, 11),
        ({"DATABASE_URL": "{url}", "ASGI_APP": "no_such_module:app", "WEB_CONCURRENCY": "2"}, 11),
    ],
)
def test_json_log_of_refusals(
    tmp_path: Path, database_url: str, variables: dict[str, str], status: int
) -> None:
    """Every way to fail is a JSON object, also that of settings which could not be read."""
    given = {name: text.format(url=database_url) for name, text in variables.items()}
    finished = run(project(tmp_path), "start", LOG_FORMAT="json", BACKEND_PORT="0", **given)
    assert finished.status == status
    objects(finished)
    assert len(finished.stderr) == 1


def test_wait_ends_when_the_database_comes(tmp_path: Path, database_url: str) -> None:
    """A server that comes late is waited for; what was the matter meanwhile is said."""
    port = free_port()
    address = database_url.rpartition("@")[2]
    late = database_url.replace(address, f"127.0.0.1:{port}/{address.partition('/')[2]}")
    upstream = ("127.0.0.1", int(address.partition("/")[0].partition(":")[2]))
    with running(project(tmp_path), "wait-db", DATABASE_URL=late) as inv:
        inv.wait_for("Not yet: Connection refused (waiting 0 of 60 s)")
        with forwarding(port, upstream):
            finished = inv.finish()
    finished.assert_ok()
    finished.assert_says("Waiting for PostgreSQL... …", "Not yet: …", "PostgreSQL is ready (…)")


@contextmanager
def forwarding(port: int, upstream: tuple[str, int]) -> Iterator[None]:
    """Pass what comes at a port on to another address, both ways."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, socket.create_connection(upstream) as server:
                back = threading.Thread(target=pump, args=(server, client))
                back.start()
                pump(client, server)
                back.join()

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
