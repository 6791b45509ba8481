"""What goes wrong with engines, ports and names: one sentence, status 12, and nothing half-made."""

import os
import re
import socket
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cluster import free_port
from tests.scenarios.process import INV, ROOT
from tests.stack.stack import Stack

pytestmark = pytest.mark.slow

MakeStack = Callable[[str], Stack]

ONE = """
services:
  web:
    image: IMAGE
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    ports: ["127.0.0.1:${WEB_PORT:-8000}:80"]
    stop_grace_period: 1s
"""

TASKS = (
    ("up",),
    ("down",),
    ("restart",),
    ("ps",),
    ("logs",),
    ("migrate", "--in", "web"),
)

START_ONE = (
    "Install Docker and start it, or set DOCKER_HOST to its address; `make start` needs none."
)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task[0])
def test_no_engine(stack: MakeStack, task: tuple[str, ...]) -> None:
    """Every task that needs an engine says so, and what works without one."""
    host = "unix:///nowhere/docker.sock"
    stack(ONE).inv(*task, DOCKER_HOST=host).assert_failed(
        12, f"No container engine answers at {host}. {START_ONE}"
    )


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("tcp://127.0.0.1:1", f"No container engine answers at tcp://127.0.0.1:1. {START_ONE}"),
        (
            "tcp://no.such.host.invalid:2375",
            "The container engine at tcp://no.such.host.invalid:2375 cannot be reached: … "
            "Start it, or fix DOCKER_HOST.",
        ),
        (
            "carrier-pigeon://home",
            "The container engine at carrier-pigeon://home cannot be reached: … "
            "Start it, or fix DOCKER_HOST.",
        ),
    ],
)
def test_wrong_host(stack: MakeStack, host: str, sentence: str) -> None:
    stack(ONE).inv("ps", DOCKER_HOST=host).assert_failed(12, sentence)


@pytest.mark.parametrize("task", [("down", "--volumes"), ("migrate", "--in", "web")])
def test_context_that_does_not_exist(
    stack: MakeStack, tmp_path: Path, task: tuple[str, ...]
) -> None:
    """No other engine is asked instead of the one that is named."""
    stack(ONE).inv(
        *task, DOCKER_HOST="", DOCKER_CONTEXT="stagng", DOCKER_CONFIG=str(tmp_path)
    ).assert_failed(
        2,
        "DOCKER_CONTEXT names the Docker context stagng, which does not exist. `docker context ls` "
        "lists the contexts; name one of them, or set DOCKER_HOST.",
    )


@pytest.mark.skipif(find_spec("paramiko") is not None, reason="SSH would be tried")
def test_ssh(stack: MakeStack) -> None:
    stack(ONE).inv("ps", DOCKER_HOST="ssh://me@there").assert_failed(
        12,
        "The container engine at ssh://me@there is reached through SSH, which needs the Python "
        "package paramiko. Install it: …python -m pip install paramiko.",
    )


def test_one_place_connects() -> None:
    """Every client of an engine is made where the settings of docker itself are followed."""
    made = [
        path.relative_to(ROOT)
        for path in (ROOT / "backend").rglob("*.py")
        if re.search(r"from_env\(|DockerClient\(|APIClient\(", path.read_text("utf-8"))
    ]
    assert made == [Path("backend/stack/engine/connection.py")]


@pytest.mark.skipif(os.getuid() != 0, reason="needs rights to give up")
def test_no_permission(stack: MakeStack, tmp_path: Path) -> None:
    """A user outside the engine's group is told what to do."""
    made = stack(ONE)
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(path))
        theirs.listen()
        os.chown(path, 65534, 65534)
        path.chmod(0o600)
        # Without this right even root may not connect to what is another user's.
        command = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
        finished = subprocess.run(
            [*command, INV, "ps"],
            cwd=made.folder,
            env={"PATH": os.environ["PATH"], "HOME": "/nowhere", "DOCKER_HOST": f"unix://{path}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (finished.returncode, finished.stderr) == (
        12,
        f"This user may not talk to the container engine at unix://{path}. Add the user to its "
        "group (`sudo usermod -aG docker $USER`, then log in again).\n",
    )


def test_port_of_a_process(stack: MakeStack) -> None:
    """A port that a process has is known before anything is made; the process is named."""
    made = stack(ONE)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        made.inv("up", WEB_PORT=str(port)).assert_failed(
            12,
            f"Port {port}, for web, is taken by the process {os.getpid()} (…). "
            f"Stop that, or choose another port: WEB_PORT={port + 1} make up.",
        )
        made.inv("up", "--scale", "web=2", WEB_PORT=f"{port}-{port + 1}").assert_failed(
            12,
            f"Too few of the ports {port}-{port + 1} are free for 2 of web: taken are "
            # Somebody else may have the other one.
            f"{port} by the process {os.getpid()} (…)…. "
            "Stop those, or choose another range with WEB_PORT.",
        )
    assert (made.ids(), made.networks()) == ({}, [])


def test_port_of_a_connection(stack: MakeStack) -> None:
    """A port may be taken by a connection that left from it, too: its process is named as well."""
    made = stack(ONE)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.bind(("127.0.0.1", 0))
        client.connect(server.getsockname())
        port = client.getsockname()[1]
        made.inv("up", WEB_PORT=str(port)).assert_failed(
            12, f"Port {port}, for web, is taken by the process {os.getpid()} (…). …"
        )
    assert made.ids() == {}


def test_port_of_a_container(stack: MakeStack) -> None:
    """A port that another stack's container has: it is named. One's own are no obstacle."""
    other, made, port = stack(ONE), stack(ONE), str(free_port())
    other.inv("up", WEB_PORT=port).assert_ok()
    made.inv("up", WEB_PORT=port).assert_failed(
        12,
        f"Port {port}, for web, is taken by the container {other.name}-web-1. "
        f"Stop that, or choose another port: WEB_PORT={int(port) + 1} make up.",
    )
    assert (made.ids(), made.networks()) == ({}, [])
    other.write(ONE.replace("stop_grace_period: 1s", "stop_grace_period: 2s"))
    other.inv("up", WEB_PORT=port).assert_ok()


def test_image_that_cannot_be_had(stack: MakeStack) -> None:
    """An image that is not there and cannot be pulled is named, with `inv images`."""
    advice = (
        "If no image registry can be reached, `inv images` makes stand-ins; "
        "else fix the name or log in to its registry."
    )
    name = "registry.invalid/no/such:image"
    made = stack(f"services: {{web: {{image: '{name}'}}}}")
    made.inv("up").assert_failed(
        12, f"The image {name} is not here, and could not be pulled: … {advice}"
    )
    made.write("services: {web: {build: {context: app, args: {BASE: registry.invalid/x}}}}")
    made.write("ARG BASE\nFROM $BASE\n", "app/Dockerfile")
    made.inv("up").assert_failed(
        12, f"The image registry.invalid/x is not here, and could not be pulled: … {advice}"
    )
    assert (made.ids(), made.networks()) == ({}, [])


def test_build_that_fails(stack: MakeStack) -> None:
    """The step's last lines are shown, without the terminal's colours; nothing is left of it."""
    made = stack("services: {web: {build: app}}")
    made.inv("build").assert_failed(2, "There is no Dockerfile in …app. …services.web.build.")
    made.write("FROM IMAGE\nRUN echo working; echo it broke >&2; exit 5\n", "app/Dockerfile")
    for task in ("build", "up"):
        finished = made.inv(task)
        finished.assert_failed(
            12,
            "The image of web cannot be built: The command '/bin/sh -c echo working; echo it "
            "broke >&2; exit 5' returned a non-zero code: 5. Its last lines are above; fix its "
            "Dockerfile, or what that copies.",
        )
        assert {"web | working", "web | it broke"} <= set(finished.messages)
    made.write("FROM IMAGE\nCOPY nothing /\n", "app/Dockerfile")
    made.inv("build").assert_failed(
        12, "The image of web cannot be built: COPY failed: … Fix its Dockerfile, …"
    )
    assert made.ids() == {}


def test_stack_of_the_same_name(stack: MakeStack, tmp_path: Path) -> None:
    """Another folder's stack of the same name is neither used nor stopped."""
    made = stack(ONE.replace("ports:", "expose:").replace('"127.0.0.1:${WEB_PORT:-8000}:80"', ""))
    made.inv("up").assert_ok()
    before = made.ids()
    same = Stack(made.engine, tmp_path / "elsewhere", made.image, ONE)
    for task in TASKS:
        same.inv(*task, COMPOSE_PROJECT_NAME=made.name, WEB_PORT=str(free_port())).assert_failed(
            12,
            f"There is a stack {made.name} already, and it belongs to {made.folder}. "
            f"Take it down there, or choose another name: COMPOSE_PROJECT_NAME={made.name}2.",
        )
    assert made.ids() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--scale", "web"),
            "--scale web is not a service and a number. Use --scale backend=5, for example.",
        ),
        (
            ("--scale", "web=x"),
            "--scale web=x is not a service and a number. Use --scale backend=5, for example.",
        ),
        (("--scale", "wob=2"), "There is no service wob to scale. The services are: web."),
    ],
)
def test_wrong_scale(stack: MakeStack, arguments: tuple[str, ...], sentence: str) -> None:
    stack(ONE).inv("up", *arguments).assert_failed(2, sentence)
