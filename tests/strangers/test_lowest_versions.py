"""The oldest versions of what alembic-boot asks for: the loop, env.py and the server work."""

import subprocess
import tomllib
from pathlib import Path
from tempfile import gettempdir

import pytest

from tests.cluster import Cluster
from tests.scenarios.process import ROOT
from tests.strangers.environments import SURROUNDINGS, Environment, MakeEnvironment
from tests.strangers.layouts import LAYOUTS, Stranger, copied
from tests.strangers.serving import assert_serves

pytestmark = pytest.mark.slow

EXTRAS = ("binary", "embedded", "json", "progress", "serve", "tasks")

TOOLS = {
    *("asyncpg", "docker", "fastapi", "httpx", "hypothesis", "psycopg", "pytest", "pytest-xdist"),
    *("prometheus-client", "pydantic-settings", "pyyaml"),
}
"""What the chosen tests and projects need besides."""

CHOSEN = (
    "tests/boot/running",
    "tests/boot/environment",
    "tests/boot/checking",
    "tests/boot/postgres/test_urls.py",
    "tests/boot/adoption/test_led_logins.py",
)
"""What depends on private names of Alembic and SQLAlchemy, or on what changed in them."""

# A hook of this kind is newer than Alembic 1.16; the service's own alembic.ini has one.
LEFT_OUT = ("tests/boot/checking/test_merge.py::test_two_heads",)

NO_PLUGINS = "tests/boot/checking/test_alembic_plugin.py"
"""Alembic has plugins since 1.18."""


@pytest.fixture
def oldest(wheel: Path, environment_of: MakeEnvironment) -> Environment:
    """Give an environment with the oldest version of each direct requirement."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    asked = [it for group in groups.values() for it in group if isinstance(it, str)]
    tools = [it for it in asked if it.split(">=")[0].split("[")[0] in TOOLS]
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    found = environment_of(
        f"alembic-boot @ {wheel.as_uri()}",
        *tools,
        options=("--resolution=lowest-direct", "-r", str(ROOT / "pyproject.toml"), *extras),
    )
    for folder in found.folder.parents:
        # If the tests are root's, the embedded server runs as another user.
        if folder.is_relative_to(gettempdir()) and not folder.stat().st_mode & 0o001:
            folder.chmod(0o711)
    return found


def test_chosen_tests(oldest: Environment, tmp_path: Path) -> None:
    """They run on this folder, in a process of their own."""
    asked = "from importlib.metadata import version as v; print(v('alembic'), v('sqlalchemy'))"
    said = subprocess.check_output([oldest.python, "-c", asked], text=True)
    assert said == "1.16.0 2.0.43\n"
    options = ["-q", "-n0", "-m", "not slow", "--own-databases-are-quick", "-p", "no:cacheprovider"]
    # Its own folder: pytest would close the one above ours to other users again.
    options.append(f"--basetemp={tmp_path / 'theirs'}")
    left_out = [word for test in LEFT_OUT for word in ("--deselect", test)]
    left_out.append(f"--ignore={NO_PLUGINS}")
    finished = subprocess.run(
        [oldest.python, "-m", "pytest", *options, *left_out, *CHOSEN],
        cwd=ROOT,
        env=SURROUNDINGS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-2000:]


def test_it_serves(oldest: Environment, tmp_path: Path, cluster: Cluster, database: str) -> None:
    """With Uvicorn's oldest release, and a project of other people."""
    [layout] = [it for it in LAYOUTS if it.project == "src_layout"]
    variables = {**layout.variables(cluster, database), **layout.surroundings}
    theirs = Stranger(copied(layout, tmp_path / "project"), oldest, variables)
    assert_serves(theirs, "start --app {app} --port {port}", layout.app)
