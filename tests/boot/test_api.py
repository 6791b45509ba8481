"""The public names, as a program of somebody else's uses them."""

import asyncio
import gc
import importlib
import inspect
import logging
import logging.handlers
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from fastapi import FastAPI
from httpx import Response
from starlette.applications import Starlette

import alembic_boot
from alembic_boot.output.log import keeping_logging
from alembic_boot.serving.handover import handed_over
from alembic_boot.start import prepare
from tests.boot.asking import asked
from tests.cluster import Cluster
from tests.rights import rights_of_the_files
from tests.scenarios.process import FOREIGN_ENV, ForeignProject, relations, revisions

ENV = FOREIGN_ENV.replace(
    "config = context.config\n",
    "config = context.config\n"
    "from logging.config import fileConfig\n"
    "fileConfig(config.config_file_name)\n",
)
LOGGING = """
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = CRITICAL
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stdout,)
formatter = plain
[formatter_plain]
format = %(message)s
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ForeignProject:
    """Give a project whose env.py configures logging, as Alembic's template does."""
    monkeypatch.delenv("BOOT_FACTS", raising=False)  # of another test's boot in this process
    ini = f"[alembic]\nscript_location = %(here)s/scripts\n{LOGGING}"
    theirs = ForeignProject(tmp_path / "theirs", ENV, ini)
    theirs.revision("a1")
    theirs.revision("b2", "a1")
    return theirs


def test_the_import_is_free() -> None:
    """It imports nothing that it does not use; every name is there when it is asked for."""
    code = "import sys, alembic_boot; print([it for it in sys.modules if it.startswith('alembic')])"
    printed = subprocess.run(
        (sys.executable, "-c", code), capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "['alembic_boot']"
    assert all(getattr(alembic_boot, name) is not None for name in alembic_boot.__all__)
    with pytest.raises(AttributeError):
        alembic_boot.nothing  # noqa: B018


def test_in_the_lifespan_of_an_application(
    theirs: ForeignProject, database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """It migrates in a thread, and leaves the folder, the log and stdout of the process alone."""
    log = logging.getLogger("their.application")
    handlers, level, folder = logging.root.handlers[:], logging.root.level, Path.cwd()
    reached: list[Any] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        reached.append(await asyncio.to_thread(alembic_boot.migrate, theirs.folder, database_url))
        yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(alembic_boot.readiness_router(theirs.folder, database_url))
    live, ready, head = asked(app, "GET /health/live", "GET /health/ready", "HEAD /health/ready")
    assert live.json() == {"status": "ok"}
    assert (ready.status_code, ready.json()["current"]) == (200, ["b2"])
    assert (head.status_code, head.content) == (200, b"")
    [status] = reached
    assert status.as_json()["state"] == "current"
    assert (logging.root.handlers, logging.root.level) == (handlers, level)
    assert not log.disabled
    assert folder == Path.cwd()
    os.write(1, b"still here")
    assert capfd.readouterr().out == "still here"


def test_the_garbage_of_an_application(theirs: ForeignProject, database_url: str) -> None:
    """Its objects can still be collected: only the process of a command keeps them all."""
    frozen, threshold = gc.get_freeze_count(), gc.get_threshold()
    alembic_boot.migrate(theirs.folder, database_url)
    # Objects that another test has frozen may end meanwhile.
    assert gc.get_freeze_count() <= frozen
    assert gc.get_threshold() == threshold


def test_an_engine_that_is_connected_already(
    theirs: ForeignProject, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL of an env.py is learned, although the pool of its engine has a connection."""
    name = f"engine_of_{theirs.folder.parent.name}"
    url = database_url.replace("ql://", "ql+psycopg2://")
    (theirs.folder / f"{name}.py").write_text(
        f"import sqlalchemy\nengine = sqlalchemy.create_engine({url!r})\n"
    )
    monkeypatch.syspath_prepend(theirs.folder)
    _, _, rest = FOREIGN_ENV.partition("with connectable")
    (theirs.folder / "scripts" / "env.py").write_text(
        f"from alembic import context\nfrom {name} import engine\nwith engine{rest}"
    )
    for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    alembic_boot.migrate(theirs.folder)
    assert alembic_boot.status(theirs.folder).as_json()["state"] == "current"


def test_an_application_that_works_meanwhile(
    theirs: ForeignProject,
    cluster: Cluster,
    database: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its commits are its own: none is refused or led elsewhere, also in a thread that is new."""
    name = f"service_of_{theirs.folder.parent.name}"
    url = database_url.replace("ql://", "ql+psycopg2://")
    (theirs.folder / f"{name}.py").write_text(f"""
import threading, sqlalchemy
from concurrent.futures import ThreadPoolExecutor
engine = sqlalchemy.create_engine({url!r})
def insert():
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO served DEFAULT VALUES")
def in_new_thread():
    thread = threading.Thread(target=insert)
    thread.start()
    thread.join()
resident = ThreadPoolExecutor(1)
resident.submit(bool).result()
def serve():
    resident.submit(insert).result()
    resident.submit(in_new_thread).result()
""")
    monkeypatch.syspath_prepend(theirs.folder)
    service = importlib.import_module(name)
    alembic_boot.migrate(theirs.folder, database_url)
    with service.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE served (id serial)")
    (theirs.folder / "scripts" / "env.py").write_text(
        FOREIGN_ENV.replace("config =", f"import {name}\n{name}.serve()\nconfig =", 1)
    )
    for call in (
        partial(alembic_boot.status, url=database_url),
        partial(alembic_boot.check, url=database_url),
        alembic_boot.describe,
    ):
        before = cluster.query("SELECT count(*) FROM served", database)
        with suppress(alembic_boot.ConfigurationError):  # this env.py has no URL of its own
            call(theirs.folder)
        assert cluster.query("SELECT count(*) FROM served", database) > before
    service.engine.dispose()


def test_the_handlers_of_an_application(
    theirs: ForeignProject, database_url: str, tmp_path: Path
) -> None:
    """env.py configures logging, and that would close them."""
    file = logging.FileHandler(tmp_path / "log", "w")
    handler = logging.handlers.MemoryHandler(10, target=file)
    logging.getLogger("theirs").addHandler(handler)
    try:
        alembic_boot.migrate(theirs.folder, database_url)
        logging.getLogger("theirs").warning("still here")
        handler.flush()
        assert (tmp_path / "log").read_text() == "still here\n"
    finally:
        logging.getLogger("theirs").removeHandler(handler)
        handler.close()
        file.close()


def test_the_status_page(theirs: ForeignProject, database_url: str) -> None:
    """It is there in development alone."""
    alembic_boot.migrate(theirs.folder, database_url)

    def page(*, debug: bool, **options: Any) -> Response:
        app = FastAPI(debug=debug, title="Shop")
        app.include_router(alembic_boot.readiness_router(theirs.folder, database_url, **options))
        [answer] = asked(app, "GET /_boot")
        return answer

    shown, hidden = page(debug=True), page(debug=False)
    assert (shown.status_code, "Shop" in shown.text, "b2" in shown.text) == (200, True, True)
    assert (hidden.status_code, hidden.json()) == (404, {"detail": "Not Found"})
    assert page(debug=True, status_page=False).status_code == 404


def test_the_status_page_is_ready_if_readiness_is(
    theirs: ForeignProject, database_url: str
) -> None:
    """A revision that was written since is left to do, but requests do not need it yet."""
    alembic_boot.migrate(theirs.folder, database_url)
    app = FastAPI(debug=True)
    app.include_router(alembic_boot.readiness_router(theirs.folder, database_url))
    asked(app, "GET /health/ready")
    theirs.revision("c3", "b2")
    ready, page = asked(app, "GET /health/ready", "GET /_boot.json")
    assert (ready.json()["status"], page.json()["condition"]) == ("ready", "ready")
    assert page.json()["state"] == "behind"
    assert "should be at c3" in page.json()["reason"]


def test_a_schema_that_is_behind(
    theirs: ForeignProject, cluster: Cluster, database: str, database_url: str
) -> None:
    """Readiness says so; a Starlette application has the same routes."""
    router = alembic_boot.readiness_router(theirs.folder, database_url, ready_path="/ready")
    [answer] = asked(Starlette(routes=router.routes), "GET /ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert "empty at base" in answer.json()["reason"]
    assert not alembic_boot.readiness(theirs.config, database_url).ready
    assert revisions(cluster, database) == []


def test_readiness_does_not_wait_for_a_migration(theirs: ForeignProject, database_url: str) -> None:
    """A probe is answered while the process migrates: here the revision itself asks."""
    said = theirs.folder / "said"
    theirs.revision(
        "c3",
        "b2",
        f"import alembic_boot as it, pathlib; found = it.readiness({str(theirs.folder)!r}, "
        f"{database_url!r}); pathlib.Path({str(said)!r}).write_text(found.reason)",
    )
    alembic_boot.migrate(theirs.folder, database_url)
    assert said.read_text() == "A migration runs in this process."


def test_the_facts_of_another_project(
    theirs: ForeignProject, tmp_path: Path, cluster: Cluster, database_url: str
) -> None:
    """An application judges a second project by that project's own files and version table."""
    catalog = alembic_boot.describe(theirs.folder, database_url)
    with keeping_logging():  # env.py configures it; here it stays that of the tests
        prepare(catalog)
    assert handed_over(catalog)["did"] == "applied 2 revisions"
    env = ENV.replace("target_metadata=None", "target_metadata=None, version_table='billing'")
    billing = ForeignProject(tmp_path / "billing", env, theirs.config.read_text())
    billing.revision("x9")
    with cluster.database() as other:
        url = cluster.url(other)
        assert alembic_boot.readiness(billing.folder, url).state == "empty"
        alembic_boot.migrate(billing.folder, url)
        found = alembic_boot.readiness(billing.folder, url)
    assert (found.ready, found.current) == (True, ("x9",))
    assert alembic_boot.readiness(theirs.folder, database_url).current == ("b2",)


def test_an_unreachable_database_is_looked_for_once_a_second(
    theirs: ForeignProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look runs env.py, and probes may come more often."""
    for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    runs = theirs.folder / "runs"
    nowhere = "postgresql+psycopg2://nobody@127.0.0.1:1/nothing"
    (theirs.folder / "scripts" / "env.py").write_text(
        f"with open({str(runs)!r}, 'a') as file:\n    file.write('x')\n"
        + FOREIGN_ENV.replace(
            "config = context.config\n",
            f"config = context.config\nconfig.set_main_option('sqlalchemy.url', {nowhere!r})\n",
        )
    )
    app = FastAPI()
    app.include_router(alembic_boot.readiness_router(theirs.folder))
    answers = asked(app, "GET /health/ready", "GET /health/ready")
    assert [it.status_code for it in answers] == [503, 503]
    assert runs.read_text() == "x"


def test_readiness_changes_nothing(
    theirs: ForeignProject, cluster: Cluster, database: str, database_url: str
) -> None:
    """An env.py that makes tables by itself is refused that."""
    (theirs.folder / "scripts" / "env.py").write_text(
        FOREIGN_ENV.replace(
            "with connectable",
            "with connectable.begin() as own:\n"
            '    own.exec_driver_sql("CREATE TABLE theirs (i int)")\nwith connectable',
        )
    )
    found = alembic_boot.readiness(theirs.folder, database_url)
    assert not found.ready
    assert "changes the database itself" in str(found.cause)
    assert relations(cluster, database) == []


def test_readiness_without_psycopg2_is_an_answer() -> None:
    """In a process of its own: this one has imported everything."""
    code = (
        "import sys; sys.modules['psycopg2'] = None; import alembic_boot\n"
        "found = alembic_boot.readiness(); print(found.ready, found.cause)"
    )
    printed = subprocess.run(
        (sys.executable, "-c", code), capture_output=True, text=True, check=True
    )
    assert printed.stdout.startswith("False ")
    assert "psycopg2" in printed.stdout


def test_a_configuration_made_by_a_program(
    theirs: ForeignProject, cluster: Cluster, database: str, database_url: str
) -> None:
    """It needs no file, and its URL is used."""
    config = Config()
    config.set_main_option("script_location", str(theirs.folder / "scripts"))
    config.set_main_option("sqlalchemy.url", database_url.replace("ql://", "ql+psycopg2://"))
    (theirs.folder / "scripts" / "env.py").write_text(FOREIGN_ENV)
    alembic_boot.migrate(config, target="a1")
    assert revisions(cluster, database) == ["a1"]
    assert alembic_boot.status(config).pending == ("b2",)


def test_a_config_that_reads_toml_as_ini(theirs: ForeignProject) -> None:
    """Alembic's first argument is an alembic.ini; the refusal says how to name the other file."""
    toml = theirs.folder / "pyproject.toml"
    toml.write_text('[tool.alembic]\nscript_location = "scripts"\nx = [\n  "y",\n]\n')
    with pytest.raises(alembic_boot.ConfigurationError) as caught:
        alembic_boot.migrate(Config(toml))
    assert f'Config(toml_file="{toml}")' in str(caught.value)


def test_projects_that_this_user_may_not_read(theirs: ForeignProject) -> None:
    """Whether it is named by its folder, its file or a Config."""
    theirs.config.chmod(0)
    closed = theirs.folder / "closed"
    closed.mkdir(mode=0)
    with rights_of_the_files():
        for project in (theirs.folder, closed / "alembic.ini", Config(theirs.config)):
            with pytest.raises(alembic_boot.ConfigurationError, match="cannot be read: Permission"):
                alembic_boot.migrate(project)
    closed.chmod(0o755)


def test_a_check_returns_what_it_finds(theirs: ForeignProject, database_url: str) -> None:
    """Findings are data; only what makes the check impossible is raised."""
    theirs.revision("c3", "b2", downgrade="pass")
    checked = alembic_boot.check(theirs.config, database_url, since="b2")
    assert {it.revision for it in checked.findings} == {"c3"}
    with pytest.raises(alembic_boot.ConfigurationError):
        alembic_boot.check(theirs.folder / "nowhere.ini", database_url)


def test_a_failure_is_raised(theirs: ForeignProject, database_url: str) -> None:
    """It says what happened and what to do; the log of the application is as before."""
    theirs.revision("c3", "b2", "raise RuntimeError('no way')")
    handlers = logging.root.handlers[:]
    with pytest.raises(alembic_boot.MigrationFailedError, match="no way") as caught:
        alembic_boot.migrate(theirs.config, database_url)
    assert (caught.value.exit_status, logging.root.handlers) == (5, handlers)


def test_waiting(database_url: str) -> None:
    """It returns when a login works, and raises when none does in time."""
    alembic_boot.wait(database_url, timeout=5)
    with pytest.raises(alembic_boot.DatabaseUnreachableError):
        alembic_boot.wait("postgresql://nobody@127.0.0.1:1/nothing", timeout=0)


@pytest.mark.parametrize("name", ["DATABASE_URL", "MIGRATION_DATABASE_URL"])
def test_variables(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """They count if no URL is given, and only then."""
    monkeypatch.setenv(name, "postgresql://u@h/of_variable")
    assert alembic_boot.describe().migration_database_url.database == "of_variable"
    given = alembic_boot.describe(url="postgresql://u@h/given")
    assert {given.database_url.database, given.migration_database_url.database} == {"given"}
    assert os.environ[name] == "postgresql://u@h/of_variable"


DOCS = Path(__file__).parents[2] / "docs" / "python-api.md"


def shown(name: str) -> str:
    """Return a public name as its documentation has it: a function with its parameters."""
    it = getattr(alembic_boot, name)
    if not inspect.isfunction(it):
        return f"`{name}`"
    signature = inspect.signature(it)
    bare = [it.replace(annotation=it.empty) for it in signature.parameters.values()]
    text = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    return f"`{name}{re.sub('<function.*?>.*?>|<function.*?0x.*?>', '…', text)}`".replace("'", '"')


def test_what_is_documented() -> None:
    """Every public name has its place, functions with all parameters, and so has each option."""
    text = DOCS.read_text(encoding="utf-8")
    missing = [it for it in map(shown, alembic_boot.__all__) if it not in text]
    missing += [it for it in alembic_boot.Options.__annotations__ if f"`{it}`" not in text]
    assert missing == []
    errors = [it for it in alembic_boot.__all__ if it.endswith("Error")]
    wrong = [
        it for it in errors if f"| `{it}` | {getattr(alembic_boot, it).exit_status} |" not in text
    ]
    assert wrong == []
