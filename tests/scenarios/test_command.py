"""The command `alembic-boot` as a process: what it becomes, what it serves, and what it leaves."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.cluster import Cluster, free_port
from tests.scenarios.process import DEADLINE, ROOT, ForeignProject, relations
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

TELL = """
import json, os, resource, signal, sys

print(json.dumps({
    "pid": os.getpid(),
    "arguments": sys.argv[1:],
    "folder": os.getcwd(),
    "descriptors": sorted(int(it) for it in os.listdir("/proc/self/fd")),
    "limit": resource.getrlimit(resource.RLIMIT_NOFILE),
    "umask": [line.split()[1] for line in open("/proc/self/status") if "Umask" in line],
    "ignored": [line.split()[1] for line in open("/proc/self/status") if "SigIgn" in line],
    "environment": dict(os.environ),
}), flush=True)
signal.pause()
"""

CHANGING = """import os
os.environ["THEIRS"] = os.environ["DATABASE_URL"] = "changed"
os.umask(0o007)
"""
"""The beginning of an env.py that changes the process, as load_dotenv does."""

APP = """
async def app(scope, receive, send):
    while scope["type"] == "lifespan":
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind.endswith("shutdown"):
            return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"theirs"})
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of a project whose package has the name of one of ours."""
    theirs = ForeignProject(tmp_path / "theirs", ini="[alembic]\nscript_location = scripts\n")
    theirs.revision("a1")
    (theirs.folder / "tell.py").write_text(TELL)
    (theirs.folder / "backend").mkdir()
    (theirs.folder / "backend" / "__init__.py").write_text("")
    (theirs.folder / "backend" / "main.py").write_text(APP)
    return theirs.folder


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Give what starts the command in that folder; what is left of it ends with the test."""
    with ExitStack() as stack:

        def begin(*argv: str, **variables: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-m", "alembic_boot", *argv],
                cwd=folder,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield begin


def line_of(process: "subprocess.Popen[str]", part: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if part in line:
            return line
    raise AssertionError(process.communicate())


def test_run_becomes_the_command(
    request: pytest.FixtureRequest,
    start: Start,
    folder: Path,
    cluster: Cluster,
    database: str,
    database_url: str,
) -> None:
    """The command gets the process as if it had been started itself, on the newest schema."""
    port = str(free_port())
    given = {"DATABASE_URL": database_url, "APP_ENV": "production", "ALEMBIC_BOOT_PORT": port}
    env_py = folder / "scripts" / "env.py"
    env_py.write_text(CHANGING + env_py.read_text())
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does with `&`
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, previous))
    process = start("run", "--", "python", "tell.py", "--port", "1", **given)
    told: dict[str, Any] = json.loads(line_of(process, '"pid"'))
    assert told["pid"] == process.pid
    assert told["arguments"] == ["--port", "1"]
    assert told["folder"] == str(folder)
    assert "t_a1" in relations(cluster, database)
    plain = subprocess.run(
        [sys.executable, "-c", TELL.replace("signal.pause()", "")],
        capture_output=True,
        check=True,
        text=True,
    )
    expected = json.loads(plain.stdout)
    for name in ("descriptors", "limit", "ignored", "umask"):
        assert told[name] == expected[name], name
    changed = {name for name in told["environment"] if name not in given} - {"PATH", "PYTHONPATH"}
    assert told["environment"]["DATABASE_URL"] == database_url
    assert changed <= {"BOOT_FACTS", "LC_CTYPE"}
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == -signal.SIGTERM


def test_probes_are_answered_until_the_command_runs(start: Start) -> None:
    """A port of its own tells an orchestrator that the boot is at work."""
    port = free_port()
    nowhere = f"postgresql://u@127.0.0.1:{free_port()}/d"
    given = {"DATABASE_URL": nowhere, "ALEMBIC_BOOT_READY_PATH": "/ready"}
    process = start("run", "--", "python", "tell.py", ALEMBIC_BOOT_PORT=str(port), **given)
    codes: list[int] = []

    def answers() -> bool:
        try:
            urlopen(f"http://127.0.0.1:{port}/ready", timeout=DEADLINE)
        except HTTPError as error:
            codes.append(error.code)
        except OSError:
            pass
        return bool(codes)

    wait_until(answers)
    assert codes == [503]
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=DEADLINE)
    assert (process.returncode, said) == (143, "Stopped by SIGTERM.\n")


def test_start_serves_their_application(
    start: Start, cluster: Cluster, database: str, database_url: str
) -> None:
    """Their package `backend` is theirs, found in the folder of the call."""
    process = start("start", "--app", "backend.main:app", "--port", "0", DATABASE_URL=database_url)
    url = line_of(process, "Serving on").split("Serving on ")[1].split()[0]
    with urlopen(url, timeout=DEADLINE) as answer:
        assert answer.read() == b"theirs"
    assert "t_a1" in relations(cluster, database)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=DEADLINE)
    assert (process.returncode, said) == (0, "")


TENANT = """
table = context.get_x_argument(as_dictionary=True)["tenant"]
configure = context.configure
context.configure = lambda **given: configure(**given, version_table=table)
"""
"""The part of an env.py that has a version table for each tenant."""

SAY = "import alembic_boot as it; found = it.readiness(); print('is', found.ready, found.cause)"


@pytest.mark.parametrize("by", ["flags", "variables"])
def test_the_command_knows_the_project_of_its_boot(
    start: Start, folder: Path, database_url: str, by: str
) -> None:
    """Also if options named it: a readiness router is made without arguments."""
    (folder / "alembic.ini").rename(folder / "shop.ini")
    ini = folder / "shop.ini"
    ini.write_text(ini.read_text().replace("[alembic]", "[catalog]"))
    env_py = folder / "scripts" / "env.py"
    env_py.write_text(
        env_py.read_text().replace("config = context.config\n", f"config = context.config{TENANT}")
    )
    typed = ("-c", "shop.ini", "-n", "catalog", "-x", "tenant=acme")
    set_ = {
        "ALEMBIC_CONFIG": "shop.ini",
        "ALEMBIC_BOOT_NAME": "catalog",
        "ALEMBIC_BOOT_X": "tenant=acme",
    }
    options, variables = (typed, {}) if by == "flags" else ((), set_)
    command = (*options, "run", "--", "python", "-c", SAY)
    process = start(*command, DATABASE_URL=database_url, **variables)
    out, err = process.communicate(timeout=DEADLINE)
    assert out.splitlines()[-1:] == ["is True None"], (out, err)
