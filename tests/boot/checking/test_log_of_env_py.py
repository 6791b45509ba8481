"""The log that env.py of Alembic's template configures: none of it comes before our sentences."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from alembic_boot import describe
from tests.scenarios.process import ALEMBIC_LOGGING, FOREIGN_ENV, FOREIGN_INI, ForeignProject

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]

MODELS = FOREIGN_ENV.replace(
    "target_metadata=None", "target_metadata=__import__('sqlalchemy').MetaData()"
)

ENV = f"""
from logging.config import fileConfig
from alembic import context
fileConfig(context.config.config_file_name)
{MODELS}"""


@pytest.fixture
def theirs(tmp_path: Path) -> ForeignProject:
    """Give a project with one revision."""
    theirs = ForeignProject(tmp_path / "theirs", env=ENV, ini=FOREIGN_INI + ALEMBIC_LOGGING)
    (theirs.folder / "scripts" / "script.py.mako").write_text(
        "revision, down_revision = ${repr(up_revision)}, ${repr(down_revision)}\n"
        "def upgrade(): pass\ndef downgrade(): pass\n"
    )
    theirs.revision("a1", None, "pass", "pass")
    return theirs


def run(module: str, *arguments: str, url: str, sent: bytes = b"") -> tuple[int, str]:
    finished = subprocess.run(
        (sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": url},
        input=sent,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return finished.returncode, finished.stderr.decode()


@pytest.mark.parametrize("command", ["check", "revision -m more", "merge -m both"])
def test_a_command(theirs: ForeignProject, database_url: str, command: str) -> None:
    """Alembic's own lines are not shown, whoever runs env.py."""
    if command.startswith("merge"):
        theirs.config.write_text(f"{FOREIGN_INI}revision_environment = true\n{ALEMBIC_LOGGING}")
        theirs.revision("b1", None, "pass", "pass")
    arguments = ("-c", str(theirs.config), *command.split())
    status, said = run("alembic_boot", *arguments, url=database_url)
    assert (status, "[alembic." in said) == (0, False), said


def test_the_database_for_tests(theirs: ForeignProject, database_url: str) -> None:
    """The reason of a failure is one sentence."""
    theirs.revision("b1", "a1", "op.execute('SELECT nothing')", "pass")
    boot = describe(theirs.config, database_url)
    sent = pickle.dumps((boot, boot.migration_database_url))
    status, said = run("alembic_boot.migration.filling", url=database_url, sent=sent)
    assert status == 5
    assert said.startswith("Migration b1 "), said
    assert "[alembic." not in said
