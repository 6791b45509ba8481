"""Compose itself sees the same stack, and the reverse."""

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

from tests.stack.stack import Stack

pytestmark = pytest.mark.slow

TWO = """
services:
  db:
    image: IMAGE
    command: [sh, -c, "trap 'exit 0' TERM; echo db speaks; while :; do sleep 0.1; done"]
    volumes: ["data:/data"]
    stop_grace_period: 1s
  web:
    image: IMAGE
    command: [sh, -c, "trap 'exit 0' TERM; echo web speaks; while :; do sleep 0.1; done"]
    depends_on: [db]
    stop_grace_period: 1s
volumes:
  data:
"""


def _has(command: str) -> bool:
    """Whether this machine has that Compose: the plug-in, or Debian's 1.29."""
    words = command.split()
    return bool(
        shutil.which(words[0])
        and not subprocess.run([*words, "version"], capture_output=True, check=False).returncode
    )


COMPOSES = [it for it in ("docker compose", "docker-compose") if _has(it)] or [""]


@pytest.fixture(params=COMPOSES)
def compose(request: pytest.FixtureRequest) -> Callable[[Stack, str], str]:
    """Give what runs each Compose that this machine has; in CI it has one."""
    command = request.param.split()
    if not command:
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end("there is no Compose: apt-get install docker-compose")

    def run(made: Stack, arguments: str) -> str:
        finished = subprocess.run(
            [*command, *arguments.split()],
            cwd=made.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(made.folder)},
            capture_output=True,
            text=True,
            check=True,
        )
        return finished.stdout

    return run


def test_compose_sees_our_stack(
    stack: Callable[[str], Stack], compose: Callable[[Stack, str], str]
) -> None:
    """`ps` lists, `logs` shows and `down` removes what `inv up` made."""
    made = stack(TWO)
    made.inv("up").assert_ok()
    listed = compose(made, "ps")
    assert f"{made.name}-db-1" in listed
    assert f"{made.name}-web-1" in listed
    logs = compose(made, "logs")
    assert "db speaks" in logs
    assert "web speaks" in logs
    compose(made, "down")
    assert (made.ids(), made.networks()) == ({}, [])
    assert made.volumes() == [f"{made.name}_data"]


def test_we_see_its_stack(
    stack: Callable[[str], Stack], compose: Callable[[Stack, str], str]
) -> None:
    """`inv ps`, `logs` and `down` work on what Compose made; so does `inv up`, and data stays."""
    made = stack(TWO)
    compose(made, "up -d")
    made.containers()["db-1"].exec_run(["sh", "-c", "echo kept > /data/file"])
    assert sum("running" in line for line in made.inv("ps").stdout) == 2
    assert sorted(made.inv("logs").stdout) == ["db-1  | db speaks", "web-1 | web speaks"]
    made.inv("up").assert_ok()
    assert sorted(made.ids()) == ["db-1", "web-1"]
    kept = made.containers()["db-1"].exec_run(["cat", "/data/file"])
    assert kept.output == b"kept\n"

    compose(made, "up -d")
    assert sorted(made.ids()) == ["db-1", "web-1"]
    made.inv("down", "--volumes").assert_ok()
    assert (made.ids(), made.networks(), made.volumes()) == ({}, [], [])
