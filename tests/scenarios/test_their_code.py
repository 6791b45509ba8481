"""Code of somebody's project prints, fails and asks for arguments: as under Alembic itself."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.scenarios.process import (
    FOREIGN_ENV,
    FOREIGN_INI,
    Finished,
    ForeignProject,
    project,
    relations,
    run,
    running,
)

pytestmark = pytest.mark.slow

TALK = """
import atexit, logging, os, subprocess, sys
print("NOISE of print")
os.write(1, b"NOISE of a library\\n")
subprocess.run(["echo", "NOISE of a process"], check=True)
logging.getLogger("theirs").addHandler(logging.StreamHandler(sys.stdout))
logging.getLogger("theirs").warning("NOISE of a log")
atexit.register(print, "NOISE of the end")
"""


def inv(folder: Path, theirs: ForeignProject, url: str, *task: str, **more: str) -> Finished:
    return run(folder, *task, **{"DATABASE_URL": url, "ALEMBIC_CONFIG": str(theirs.config), **more})


def test_stdout_is_the_data_alone(tmp_path: Path, database_url: str) -> None:
    """Whatever the project's code prints, by whichever way: it can be read on stderr."""
    folder = project(tmp_path)
    theirs = ForeignProject(tmp_path / "theirs", env=TALK + FOREIGN_ENV)
    theirs.revision("a1", None, f"{TALK}op.execute('CREATE TABLE t ()')")
    found = {
        task: inv(folder, theirs, database_url, *task.split())
        for task in ("status --json", "status", "migrate --dry-run", "migrate --sql")
    }
    for finished in found.values():
        assert finished.status == 0, finished
        assert not [line for line in finished.stdout if "NOISE" in line], finished
        said = "\n".join(finished.stderr)
        kinds = ("print", "a library", "a process", "a log", "the end")
        assert [kind for kind in kinds if f"NOISE of {kind}" not in said] == []
    [line] = found["status --json"].stdout
    assert json.loads(line)["state"] == "empty"
    assert found["migrate --sql"].stdout[0] == "-- From base to a1."
    assert found["status"].stdout[0].startswith("state ")
    assert found["migrate --dry-run"].stdout[0].startswith("The schema is empty")


TEMPLATE = """revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}

def upgrade(): ${upgrades or "pass"}

def downgrade(): ${downgrades or "pass"}
"""

MODELS = """
from sqlalchemy import Column, Integer, MetaData, Table
models = MetaData()
Table("t", models, Column("id", Integer))
"""

ACTIONS = [
    "adopt --dry-run",
    "migrate",
    "check",
    "revision --message more",
    "rollback --yes",
    "stamp --revision a1",
]


def printed_in(lines: Sequence[str]) -> list[str]:
    """Return the lines that are none of the log."""
    return [line for line in lines if ("NOISE" in line or "printed" in line) and "WARN" not in line]


def test_stdout_is_the_log_alone(tmp_path: Path, database_url: str) -> None:
    """Tasks that act have their log there, which programs read, too; and their answer."""
    folder = project(tmp_path)
    env = TALK + MODELS + FOREIGN_ENV.replace("=None", "=models")
    theirs = ForeignProject(tmp_path / "theirs", env=env)
    up, down = "op.execute('CREATE TABLE t (id int)')", "op.drop_table('t')"
    theirs.revision("a1", None, TALK + up, TALK + down, constants='phase = "contract"')
    (tmp_path / "theirs" / "scripts" / "script.py.mako").write_text(TEMPLATE)
    for task in ACTIONS:
        finished = inv(folder, theirs, database_url, *task.split(), APP_ENV="test")
        assert finished.status == 0, (task, finished)
        assert printed_in(finished.stdout) == [], (task, finished)
        assert [line for line in finished.stderr if "NOISE of print" in line], (task, finished)


def test_a_start_keeps_its_log_apart(tmp_path: Path, database_url: str) -> None:
    """Until it serves: what the application prints is its own to say on stdout."""
    folder = project(tmp_path)
    theirs = ForeignProject(tmp_path / "theirs", env=TALK + FOREIGN_ENV)
    theirs.revision("a1", None, f"{TALK}op.execute('CREATE TABLE t ()')")
    (folder / "app_of_tests.py").write_text("print('printed by the application')\nraise SystemExit")
    known = {"DATABASE_URL": database_url, "ALEMBIC_CONFIG": str(theirs.config)}
    with running(
        folder,
        "start",
        BACKEND_PORT="0",
        SEED="false",
        ASGI_APP="app_of_tests:app",
        PYTHONPATH=str(folder),
        **known,
    ) as process:
        finished = process.finish()
    assert finished.status == 11, finished
    printed = printed_in(finished.stdout)
    assert printed[0] == "printed by the application"
    assert set(printed[1:]) == {"NOISE of the end"}


ARGUMENTS_ENV = FOREIGN_ENV.replace(
    "connection=connection,",
    "connection=connection,\n"
    '        version_table_schema=context.get_x_argument(as_dictionary=True)["schema"],\n'
    '        version_table=config.get_main_option("version_table"),\n',
)
ARGUMENTS_INI = FOREIGN_INI + "version_table = first\n[second]\nversion_table = second\n"
DOWN = ["--target", "base"]
SECOND = {"ALEMBIC_NAME": "second", "ALEMBIC_X": "schema='of two'"}


@pytest.mark.parametrize("by", ["flags", "variables"])
def test_a_section_and_arguments(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, by: str
) -> None:
    """They reach env.py by Alembic's own flags or by the environment."""
    cluster.execute('CREATE SCHEMA "of two" AUTHORIZATION moriai_user', database)
    folder = project(tmp_path)
    ini = ARGUMENTS_INI.replace("[second]", "[second]\nscript_location = %(here)s/scripts")
    theirs = ForeignProject(tmp_path / "theirs", ARGUMENTS_ENV, ini)
    theirs.revision("a1")
    flags = ["-n", "second", "-x", "schema=of two"] if by == "flags" else []
    variables = {} if by == "flags" else SECOND
    inv(folder, theirs, database_url, "migrate", *flags, **variables).assert_ok()
    assert relations(cluster, database) == ["of two.second", "t_a1"]
    status = inv(folder, theirs, database_url, "status", "--json", *flags, **variables)
    assert json.loads(status.stdout[0])["state"] == "current"
    back = inv(folder, theirs, database_url, "rollback", "--yes", *DOWN, *flags, **variables)
    assert back.status == 0, back
    assert relations(cluster, database) == ["of two.second"]


def test_the_whole_traceback(tmp_path: Path, database_url: str) -> None:
    """Who debugs gets it, without passwords; the sentence stays the last line."""
    fails = "import os\nurl = os.environ['DATABASE_URL']\nraise RuntimeError('no ' + url)\n"
    theirs = ForeignProject(tmp_path / "theirs", env=fails + FOREIGN_ENV)
    theirs.revision("a1")
    folder = project(tmp_path)
    plain = inv(folder, theirs, database_url, "migrate")
    plain.assert_failed(5, "Alembic's env.py failed: env.py, line 3: RuntimeError: no …:***@…")
    assert "Traceback (most recent call last):" not in plain.stdout
    known = {"DATABASE_URL": database_url, "ALEMBIC_CONFIG": str(theirs.config)}
    with running(folder, "migrate", LOG_LEVEL="debug", **known) as process:
        full = process.finish(traceback=True)
    full.assert_failed(5, "Alembic's env.py failed: env.py, line 3: RuntimeError: no …:***@…")
    full.assert_says("The failure in full", "Traceback (most recent call last):", "…env.py…line 3…")
