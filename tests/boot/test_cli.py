"""The command `alembic-boot`: a table of command lines, each with its exit status.

The commands run in this process, on projects that other people could have written.
"""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from alembic_boot.cli import main, parsed
from alembic_boot.commands import program, use
from alembic_boot.imports import import_as_usual
from alembic_boot.output import log
from alembic_boot.output.stdout import prepare_streams
from alembic_boot.own_variables import VARIABLES
from tests.boot.variables_of_others import OTHERS
from tests.cluster import PASSWORD, Cluster
from tests.scenarios.envs import ASYNC_ENV
from tests.scenarios.process import FOREIGN_ENV, ForeignProject, relations

OWN_URL_ENV = FOREIGN_ENV.replace(
    "config = context.config",
    "config = context.config\nfrom their_settings import URL\n"
    'config.set_main_option("sqlalchemy.url", URL)',
)
"""An env.py that takes the URL from the settings of its own project."""

STOCK_ASYNC_ENV = """
import asyncio

from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config

config = context.config

def do_run_migrations(connection):
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()

async def run_async_migrations():
    connectable = async_engine_from_config(
        config.get_section(config.config_ini_section, {}),
        prefix="sqlalchemy.",
        poolclass=pool.NullPool,
    )
    async with connectable.connect() as connection:
        await connection.run_sync(do_run_migrations)
    await connectable.dispose()

asyncio.run(run_async_migrations())
"""


@dataclass(frozen=True)
class Result:
    """What a command said and how it ended."""

    status: object
    stdout: str
    stderr: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Give what runs a command line in this process, with other programs' variables set."""
    before, path = program(), sys.path[:]
    root = logging.root
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(log, "_current", None)
    for name in list(os.environ):
        if name.endswith("DATABASE_URL") or name.startswith("ALEMBIC"):
            monkeypatch.delenv(name)
    for name, value in {**OTHERS, "APP_ENV": "dev"}.items():
        monkeypatch.setenv(name, value)

    def run(*argv: str, **variables: str) -> Result:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        status: object = 0
        try:
            main(argv)
        except SystemExit as end:
            status = end.code
        prepare_streams(is_reserved=False)  # a process would end here
        result = Result(status, *capfd.readouterr())
        assert PASSWORD not in result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result

    yield run
    use(before)
    import_as_usual()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.path[:] = path
    sys.modules.pop("their_settings", None)


@pytest.fixture
def their(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ForeignProject]:
    """Give what makes a project with one revision, in the folder where the command is called."""

    def make(env: str = FOREIGN_ENV, ini: str = "", url: str = "") -> ForeignProject:
        folder = tmp_path / "theirs"
        found = ForeignProject(
            folder, env, f"[alembic]\nscript_location = scripts\npath_separator = os\n{ini}"
        )
        found.revision("a1")
        (folder / "their_settings.py").write_text(f"URL = {url!r}\n")
        monkeypatch.chdir(folder)
        return found

    return make


Their = Callable[..., ForeignProject]


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (("--help",), 0),
        (("migrate", "--help"), 0),
        ((), 2),
        (("upgrade",), 2),
        (("migrate", "--dry-run", "--sql"), 2),
        (("stamp",), 2),
        (("migrate", "--targ", "x"), 2),
        (("status",), 2),
        (("wait",), 2),
        (("--url", "mysql://h/d", "migrate"), 2),
        (("-c", "nothing.ini", "migrate"), 2),
        (("-n", "nothing", "migrate"), 2),
        (("migrate", "--url", "mysql://h/d"), 2),
        (("migrate", "-c", "nothing.ini"), 2),
        (("migrate", "-n", "nothing"), 2),
        (("run", "--url", "postgresql://h/d"), 2),
        (("run",), 2),
        (("run", "--"), 2),
        (("run", "--", "no-such-program"), 2),
        (("start",), 2),
        (("start", "--app", "x:y", "--port", "many"), 2),
        (("--verbose", "run", "x", "--url"), 2),
    ],
)
def test_command_lines_without_a_database(
    run: Run, their: Their, argv: tuple[str, ...], status: int
) -> None:
    """What is wrong with a command line, or missing, is said before anything happens: 2."""
    their(ini="sqlalchemy.url = driver://user:pass@localhost/dbname")
    result = run(*argv)
    assert result.status == status
    assert bool(result.stderr) is (status != 0)


@pytest.mark.parametrize(
    "argv", [("migrate", "--ulr", "{}"), ("{}",), ("--ulr={}", "wait"), ("stamp", "{}")]
)
def test_a_complaint_hides_the_password(run: Run, argv: tuple[str, ...]) -> None:
    """A URL may be typed at a place where none belongs."""
    result = run(*(it.format(f"postgresql://u:{PASSWORD}@h/d") for it in argv))
    assert (result.status, "alembic-boot" in result.stderr) == (2, True)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_options_stand_before_and_after_the_command(count: int) -> None:
    """Those of Alembic may be typed in both places, and -x may be in both at once."""
    options = [("-x", "a=1"), ("-c", "their.ini"), ("--url", "postgresql://h/d")]
    before = [word for it in options[:count] for word in it]
    after = [word for it in options[count:] for word in it]
    found = parsed([*before, "run", *after, "-x", "b=2", "--", "tell", "-c", "x"])
    assert (found.x, found.config, found.name) == (["a=1", "b=2"], "their.ini", None)
    assert found.url == "postgresql://h/d"
    assert found.command[-3:] == ["tell", "-c", "x"]


def test_the_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of the distribution."""
    monkeypatch.setattr(metadata, "version", {"alembic-boot": "1.2"}.__getitem__)
    with pytest.raises(SystemExit) as end:
        parsed(["--version"])
    assert (end.value.code, capsys.readouterr().out) == (0, "alembic-boot 1.2\n")


def test_the_help_needs_no_psycopg2() -> None:
    """In a process of its own: this one has imported everything."""
    code = "import sys; sys.modules['psycopg2'] = None; from alembic_boot.cli import main; main()"
    said = subprocess.run(
        [sys.executable, "-c", code, "--help"], check=True, capture_output=True, text=True
    )
    assert "commands:" in said.stdout
    assert [name for name in VARIABLES if f"  {name} " not in said.stdout] == []


def test_the_usage_of_run_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(["run", "--help"])
    assert capsys.readouterr().out.startswith("usage: alembic-boot run [options] -- COMMAND ...\n")


@pytest.mark.parametrize(
    ("argv", "advised"),
    [
        (("-n", "alembic", "run", "--", "true", f"--token={PASSWORD}"), "-n alembic run -- true …"),
        (("start", "--app", "theirs.main:app"), "start --app theirs.main:app"),
    ],
)
def test_a_taken_port_is_answered_with_what_was_typed(
    run: Run, their: Their, argv: tuple[str, ...], advised: str
) -> None:
    """Without the arguments of a command: they may be secret."""
    their()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run(*argv, DATABASE_URL="postgresql://h/d", ALEMBIC_BOOT_PORT=str(port))
    assert result.status == 11
    alternative = port + 1 if port < 65535 else port - 1
    assert f"`ALEMBIC_BOOT_PORT={alternative} " in result.stderr
    assert result.stderr.endswith(f"alembic-boot {advised}`.\n")


def test_a_misspelt_setting_is_reported(run: Run, their: Their, database_url: str) -> None:
    """On stderr, so that what a program reads stays JSON."""
    their()
    result = run(
        "status",
        "--json",
        DATABASE_URL=database_url,
        ALEMBIC_BOOT_TIMEOUT="3",
        ALEMBIC_BOOT_QQQ="1",
    )
    assert json.loads(result.stdout)["state"] == "empty"
    assert (
        "WARNING ALEMBIC_BOOT_TIMEOUT is no setting; did you mean ALEMBIC_BOOT_WAIT_TIMEOUT?\n"
    ) in result.stderr
    assert "ALEMBIC_BOOT_QQQ is no setting; see `" in result.stderr
    assert "--help`\n" in result.stderr


@pytest.mark.slow
def test_commands(
    run: Run, their: Their, cluster: Cluster, database: str, database_url: str
) -> None:
    """One project's way through the commands, with the variables of other programs set."""
    their()
    for argv, status, said in (
        (("wait",), 0, "PostgreSQL is ready"),
        (("migrate", "--dry-run"), 0, "Plan: upgrade"),
        (("migrate", "--sql"), 0, "CREATE TABLE t_a1"),
        (("migrate",), 0, "Schema revision: a1 (head)"),
        (("status",), 0, "state     current"),
        (("status", "--json"), 0, '"state": "current"'),
        (("adopt",), 0, "nothing to adopt"),
        (("rollback", "--yes"), 0, "Schema revision: base"),
        (("stamp", "--revision", "a1"), 0, "a1"),
        (("migrate", "--target", "z9"), 2, ""),
    ):
        result = run(*argv, DATABASE_URL=database_url)
        assert (result.status, said in result.stdout) == (status, True), (argv, result)
        assert Path.cwd().name == "theirs"


@pytest.mark.parametrize(
    "env",
    [
        FOREIGN_ENV,
        STOCK_ASYNC_ENV,
        ASYNC_ENV.replace("DRIVER", "asyncpg"),
        ASYNC_ENV.replace("DRIVER", "psycopg"),
        OWN_URL_ENV,
    ],
)
def test_urls_of_their_own(
    run: Run, their: Their, cluster: Cluster, database: str, database_url: str, env: str
) -> None:
    """Without a URL of ours, the database is that of env.py: of its ini or of its settings."""
    kind = "+asyncpg" if env is STOCK_ASYNC_ENV else "+psycopg2"
    url = database_url.replace("postgresql", f"postgresql{kind}")
    their(env, "prepend_sys_path = .\nsqlalchemy.url = " + url, url)
    result = run("migrate")
    assert result.status == 0, result
    assert "t_a1" in relations(cluster, database)
    assert run("status").stdout.startswith("state     current")


def test_a_url_without_a_driver_suits_the_async_template(
    run: Run, their: Their, cluster: Cluster, database: str, database_url: str
) -> None:
    """Alembic's own async template needs an async driver, which most people's URLs do not name."""
    their(STOCK_ASYNC_ENV)
    result = run("--url", database_url, "migrate")
    assert result.status == 0, result
    assert "t_a1" in relations(cluster, database)


def test_an_env_with_another_database(
    run: Run, their: Their, cluster: Cluster, database: str, database_url: str
) -> None:
    """A URL that env.py ignores is noticed, and nothing is changed in either database."""
    their(OWN_URL_ENV, "prepend_sys_path = .", cluster.url("postgres"))
    result = run("migrate", DATABASE_URL=database_url)
    assert (result.status, "another database" in result.stderr) == (2, True), result
    assert relations(cluster, database) == []


def test_a_broken_migration_ends_the_command(run: Run, their: Their, database_url: str) -> None:
    """APP_ENV=dev is another program's: it does not let the failure pass."""
    their().revision("b2", "a1", "raise ValueError('theirs')")
    result = run("-c", "alembic.ini", "migrate", DATABASE_URL=database_url)
    assert (result.status, "b2" in result.stderr) == (5, True), result
    assert run("run", "--", "true").status == 5


@pytest.mark.slow
def test_advice_can_be_typed(run: Run, their: Their, cluster: Cluster, database: str) -> None:
    """The sentence names this program, with its options, and its own variables."""
    their()
    cluster.execute("CREATE TABLE other (i int)", database)
    result = run("-c", "alembic.ini", "migrate", DATABASE_URL=cluster.url(database))
    assert result.status == 8, result
    assert "alembic-boot -c alembic.ini" in result.stderr
    assert "inv " not in result.stderr


@pytest.mark.slow
def test_the_status_of_an_unmanaged_database_names_the_next_command(
    run: Run, their: Their, cluster: Cluster, database: str, database_url: str
) -> None:
    their()
    cluster.execute("CREATE TABLE theirs (id int)", database)
    result = run("status", DATABASE_URL=database_url)
    assert "adopt --dry-run` shows which revision it is" in result.stdout


def test_what_a_check_prints_for_programs(run: Run, their: Their, database_url: str) -> None:
    """Stdout has the findings alone, and the exit status says that there are some."""
    their().revision("b2", "a1", downgrade="pass")
    found = run("check", "--since", "a1", "--format", "json", DATABASE_URL=database_url)
    [first, *_] = json.loads(found.stdout)["findings"]
    assert (found.status, first["revision"], first["kind"]) == (9, "b2", "downgrade")
    found = run("check", "--since", "a1", "--format", "github")
    assert found.stdout.startswith("::error title=alembic-boot%3A downgrade,file=scripts/versions/")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMP TABLE ours (i int)",
        "LOCK TABLE held IN ACCESS EXCLUSIVE MODE",
        "SELECT i, pg_advisory_xact_lock(1) FROM held FOR UPDATE",
    ],
)
def test_an_env_that_changes_nothing_that_lasts(
    run: Run, their: Their, cluster: Cluster, database: str, database_url: str, statement: str
) -> None:
    """PostgreSQL counts these as changes of the transaction; the commit ends them."""
    cluster.execute("CREATE TABLE held AS SELECT 1 AS i", database)
    cluster.execute("ALTER TABLE held OWNER TO moriai_user", database)
    their(
        FOREIGN_ENV.replace(
            "with connectable",
            "with connectable.begin() as own:\n"
            f"    own.exec_driver_sql({statement!r})\nwith connectable",
        )
    )
    result = run("status", DATABASE_URL=database_url)
    assert result.status == 0, result


CHANGING_ENV = FOREIGN_ENV.replace(
    "with connectable",
    "import sqlalchemy\nwith connectable.begin() as own:\n"
    '    own.exec_driver_sql("CREATE TABLE IF NOT EXISTS theirs (i int)")\nwith connectable',
)
"""An env.py that makes tables by itself, as some do by create_all."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "argv", [("status",), ("migrate", "--dry-run"), ("check",), ("adopt", "--dry-run")]
)
def test_an_env_that_changes_the_database(
    run: Run, their: Their, cluster: Cluster, database: str, database_url: str, argv: tuple[str]
) -> None:
    """What promises to change nothing refuses to; when nothing is left to change, it looks."""
    their(CHANGING_ENV)
    result = run(*argv, DATABASE_URL=database_url)
    assert (result.status, "changes the database itself" in result.stderr) == (2, True), result
    assert relations(cluster, database) == []
    if argv == ("status",):
        cluster.execute("CREATE TABLE theirs (i int)", database)
        assert run(*argv).status == 0
