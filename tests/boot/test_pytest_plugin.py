"""The pytest plugin, in a run of its own beside a project of somebody else's."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.scenarios.envs import own_settings_env
from tests.scenarios.process import ForeignProject
from tests.waiting import wait_until

TESTS = """
import pytest
from sqlalchemy import create_engine, text

@pytest.mark.parametrize("number", range(4))
def test_rows(alembic_boot_database, number):
    assert alembic_boot_database.startswith("postgresql+psycopg2://")
    engine = create_engine(alembic_boot_database)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO t_b2 DEFAULT VALUES"))
        assert connection.scalar(text("SELECT count(*) FROM t_b2")) == 1
    engine.dispose()
"""

UNLOADED = """
def test_modules(alembic_boot_database):
    import sys
    assert "their_models" not in sys.modules
"""


@pytest.fixture
def theirs(tmp_path: Path) -> ForeignProject:
    """Give a project with tests."""
    theirs = ForeignProject(tmp_path / "theirs")
    theirs.revision("a1")
    theirs.revision("b2", "a1")
    (theirs.folder / "test_theirs.py").write_text(TESTS)
    (theirs.folder / "pytest.ini").write_text("[pytest]\n")
    return theirs


def command(*arguments: str) -> tuple[str, ...]:
    plugin = ("-p", "alembic_boot.pytest_plugin", "-p", "xdist", "-p", "no:cacheprovider")
    return (sys.executable, "-m", "pytest", "-q", *plugin, *arguments)


def environment(url: str | None) -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": root,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return {**environ, "ALEMBIC_BOOT_TEST_DATABASE_URL": url} if url else environ


def run(
    theirs: ForeignProject, url: str | None, *arguments: str, below: str = ""
) -> tuple[int, str]:
    """Return the exit status of a run, and what it printed; `below` is the folder it runs in."""
    finished = subprocess.run(
        command(*arguments),
        cwd=theirs.folder / below,
        env=environment(url),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return finished.returncode, finished.stdout + finished.stderr


def beside(cluster: Cluster, database: str) -> list[str]:
    rows = cluster.query(
        f"SELECT datname FROM pg_database WHERE starts_with(datname, '{database}_')"
    )
    return [str(name) for (name,) in rows]


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_clone_for_each_test(
    theirs: ForeignProject, cluster: Cluster, database: str, database_url: str, processes: str
) -> None:
    """The history runs once for all processes, and nothing is left."""
    ran = theirs.folder / "ran"
    theirs.revision("c3", "b2", f"open({str(ran)!r}, 'a').write('x')", "pass")
    status, said = run(theirs, database_url, "-n", processes)
    assert (status, "4 passed" in said) == (0, True), said
    assert ran.read_text() == "x"
    assert beside(cluster, database) == []
    assert cluster.query("SELECT FROM pg_tables WHERE schemaname = 'public'", database) == []


@pytest.mark.slow
def test_a_project_with_settings_of_its_own(
    theirs: ForeignProject, cluster: Cluster, database: str, database_url: str
) -> None:
    """Its env.py goes to another database than the one for tests, and is led to the template.

    What env.py imports is not imported in the process of the tests. Paths start at the rootdir.
    """
    theirs.config.write_text("[billing]\nscript_location = scripts\n")
    (theirs.folder / "pytest.ini").write_text("[pytest]\nalembic_boot_name = billing\n")
    (theirs.folder / "their_models.py").touch()
    (theirs.folder / "test_theirs.py").write_text(TESTS + UNLOADED)
    (theirs.folder / "below").mkdir()
    with cluster.database() as own:
        env = own_settings_env(cluster.url(own), "psycopg2", "pool_size=1")
        env = "import their_models\n" + env.replace("engine.dispose()", "pass")
        (theirs.folder / "scripts" / "env.py").write_text(env)
        status, said = run(theirs, database_url, "..", below="below")
        assert (status, "5 passed" in said) == (0, True), said
        assert cluster.query("SELECT FROM pg_tables WHERE schemaname = 'public'", own) == []


@pytest.mark.slow
def test_a_run_that_is_killed(
    theirs: ForeignProject, cluster: Cluster, database: str, database_url: str
) -> None:
    """The next run removes what it has left."""
    (theirs.folder / "test_theirs.py").write_text(
        "def test(alembic_boot_database): open('here', 'w'); import signal; signal.pause()"
    )
    killed = subprocess.Popen(command(), cwd=theirs.folder, env=environment(database_url))
    wait_until((theirs.folder / "here").exists)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert len(beside(cluster, database)) == 2
    (theirs.folder / "test_theirs.py").write_text(TESTS)
    assert run(theirs, database_url)[0] == 0
    assert beside(cluster, database) == []


@pytest.mark.slow
def test_the_check_as_a_test(theirs: ForeignProject, database_url: str) -> None:
    """It fails in sentences, without a traceback."""
    status, said = run(theirs, database_url, "--alembic-boot-check", "-k", "alembic")
    assert (status, "1 passed" in said) == (0, True), said
    theirs.revision("c3", "b2", downgrade="pass")
    status, said = run(theirs, database_url, "--alembic-boot-check", "-k", "alembic")
    assert (status, "c3 leaves behind on its way down" in said) == (1, True), said
    assert "Traceback" not in said
    theirs.revision("d4", "nowhere")
    status, said = run(theirs, database_url, "--alembic-boot-check", "-k", "alembic")
    assert (status, "Revision nowhere referenced from" in said) == (1, True), said


@pytest.mark.slow
def test_the_check_leaves_the_process_of_the_tests_alone(
    theirs: ForeignProject, database_url: str
) -> None:
    """What env.py imports and sets is not there for the tests; nor are its prints."""
    (theirs.folder / "their_models.py").touch()
    env = "import their_models, logging; logging.disable(); print('NOISE')\n" + theirs.env
    (theirs.folder / "scripts" / "env.py").write_text(env)
    (theirs.folder / "conftest.py").write_text(
        "def pytest_sessionfinish():\n    import logging, sys\n"
        "    print('their_models' in sys.modules, logging.root.manager.disable)\n"
    )
    status, said = run(theirs, database_url, "--alembic-boot-check", "-k", "alembic", "-s")
    assert (status, "False 0" in said, "NOISE" in said) == (0, True, False), said


@pytest.mark.slow
def test_what_is_missing(theirs: ForeignProject, database_url: str) -> None:
    """A sentence says which variable to set, or what failed; once, and without its causes."""
    said = run(theirs, None)[1]
    assert "No server for tests: set ALEMBIC_BOOT_TEST_DATABASE_URL" in said
    assert "or DATABASE_URL. The URL of env.py is not used." in said
    theirs.revision("c3", "b2", "raise RuntimeError('no way')")
    status, said = run(theirs, database_url, "-rN", "-k", "rows and 0")
    assert (status, said.count("RuntimeError: no way"), "Traceback" in said) == (1, 1, False), said
