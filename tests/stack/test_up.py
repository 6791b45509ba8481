"""`up` on a real engine: what it makes, keeps, replaces, waits for and takes back."""

import signal
import socket
from collections.abc import Callable

import pytest

from tests.cluster import free_port
from tests.stack.stack import Stack
from tests.waiting import SOON

pytestmark = pytest.mark.slow

MakeStack = Callable[[str], Stack]

WELL = "trap 'echo bye; exit 0' TERM; echo hello; touch /tmp/ok; while :; do sleep 0.1; done"
SICK = "trap 'exit 0' TERM; echo hello; echo sick >&2; while :; do sleep 0.1; done"

TWO = f"""
services:
  db:
    image: IMAGE
    command: [sh, -c, "{WELL}"]
    healthcheck: {{test: "[ -e /tmp/ok ]", interval: 300ms}}
    volumes: ["data:/data"]
    stop_grace_period: 2s
  web:
    image: IMAGE
    command: [sh, -c, "${{WEB:-{WELL}}}"]
    depends_on: {{db: {{condition: service_healthy}}}}
    healthcheck: {{test: "[ -e /tmp/ok ] || echo /tmp/ok is missing && [ -e /tmp/ok ]", interval: 300ms, retries: 2}}
    restart: "${{RESTART:-unless-stopped}}"
    stop_grace_period: 2s
volumes:
  data:
"""  # noqa: E501

BUILT = f"""
services:
  web:
    build: {{context: app, args: {{BASE: IMAGE}}}}
    ports: ["127.0.0.1:$WEB_PORT:80"]
    healthcheck: {{test: "[ -e /tmp/ok ]", interval: 300ms}}
    command: [sh, -c, "{WELL}"]
    stop_grace_period: 2s
"""

DOCKERFILE = "ARG BASE\nFROM $BASE\nCOPY file /file\n"


def test_makes_in_order_and_keeps(stack: MakeStack) -> None:
    """Everything is made, dependencies first; a second `up` changes nothing."""
    made = stack(TWO)
    finished = made.inv("up")
    finished.assert_ok()
    finished.assert_says(
        f"Network {made.name}_default made",
        f"Volume {made.name}_data made",
        "db-1 is starting (…)",
        "db-1 is running, healthy (…)",
        "web-1 is starting (…)",
        "web-1 is running, healthy (…)",
    )
    ids, networks = made.ids(), made.networks()
    assert sorted(ids) == ["db-1", "web-1"]
    again = made.inv("up")
    again.assert_ok()
    again.assert_never_says("…made")
    assert (made.ids(), made.networks()) == (ids, networks)


def test_replaces_what_changed_and_nothing_else(stack: MakeStack) -> None:
    """A changed service gets a new container; the other one, and the volume, stay."""
    made = stack(TWO)
    made.inv("up").assert_ok()
    before = made.ids()
    made.containers()["db-1"].exec_run(["sh", "-c", "echo kept > /data/file"])
    made.write(TWO.replace("RESTART:-unless-stopped", "RESTART:-no"))
    finished = made.inv("up")
    finished.assert_ok()
    finished.assert_says(
        "web-1 replaced, because its configuration changed", "web-1 is running, healthy (…)"
    )
    after = made.ids()
    assert after["db-1"] == before["db-1"]
    assert after["web-1"] != before["web-1"]

    made.write(TWO.replace("volumes: [", "environment: {A: b}\n    volumes: ["))
    made.inv("up").assert_ok()
    assert made.ids()["db-1"] != before["db-1"]
    kept = made.containers()["db-1"].exec_run(["cat", "/data/file"])
    assert kept.output == b"kept\n"


def test_starts_again_what_stopped(stack: MakeStack) -> None:
    """A container that was stopped, or is not well any more, is started again as it is."""
    made = stack(TWO)
    made.inv("up").assert_ok()
    before = made.ids()
    made.containers()["db-1"].stop(timeout=1)
    made.containers()["web-1"].pause()
    made.inv("up").assert_ok()
    assert made.ids() == before
    assert {it.status for it in made.containers().values()} == {"running"}


def test_scale(stack: MakeStack) -> None:
    """With a range of ports each container has one; fewer containers are fewer."""
    made = stack(BUILT)
    made.write(DOCKERFILE, "app/Dockerfile")
    made.write("1", "app/file")
    first = free_port()
    one = made.inv("up", "--scale", "web=3", WEB_PORT=str(first))
    one.assert_failed(
        2,
        f"3 containers of web cannot all be published on {first}: a port belongs to one container. "
        f"Publish a range: WEB_PORT={first}-{first + 2} inv up --scale web=3.",
    )
    assert made.ids() == {}
    with socket.create_server(("127.0.0.1", first)):  # it is passed over
        finished = made.inv("up", "--scale", "web=3", WEB_PORT=f"{first}-{min(first + 50, 65535)}")
    finished.assert_ok()
    told = [line.partition("http://")[2] for line in finished.stdout if " is at " in line]
    assert len(set(told)) == 3
    assert sorted(made.ids()) == ["web-1", "web-2", "web-3"]
    made.inv("up", "--scale", "web=1", WEB_PORT=f"{first}-{min(first + 50, 65535)}").assert_ok()
    assert sorted(made.ids()) == ["web-1"]


def test_builds_when_inputs_change(stack: MakeStack) -> None:
    """The image is built with the cache: a container is replaced when a file of it changed."""
    made = stack(BUILT)
    made.write(DOCKERFILE, "app/Dockerfile")
    made.write(made.name, "app/file")  # what no other test has in its cache
    port = str(free_port())
    first = made.inv("up", WEB_PORT=port)
    first.assert_ok()
    first.assert_says(
        "Building web: 3/3 COPY file /file",
        f"Image {made.name}-web built (…)",
        f"web-1 is at http://127.0.0.1:{port}",
    )
    before = made.ids()
    second = made.inv("up", WEB_PORT=port)
    second.assert_ok()
    second.assert_says(f"Image {made.name}-web is up to date (…)")
    assert made.ids() == before
    made.write("2", "app/file")
    made.inv("up", WEB_PORT=port).assert_ok()
    assert made.ids() != before
    assert made.containers()["web-1"].exec_run(["cat", "/file"]).output == b"2"


@pytest.mark.parametrize(
    ("web", "restart", "sentence", "said"),
    [
        (SICK, "no", "web-1 is unhealthy: /tmp/ok is missing.", "sick"),
        ("echo broken; exit 5", "no", "web-1 exited with status 5.", "broken"),
        (
            "echo broken; exit 5",
            "always",
            "web-1 keeps restarting; it exited with status 5.",
            "broken",
        ),
    ],
)
def test_container_that_fails(
    stack: MakeStack, web: str, restart: str, sentence: str, said: str
) -> None:
    """`up` ends with the container's last lines and a sentence; the container stays for its log."""
    made = stack(TWO)
    finished = made.inv("up", WEB=web, RESTART=restart)
    finished.assert_failed(
        12,
        f"{sentence} Its last lines are above, and `inv logs` has them all; fix it and run "
        "`make up` again.",
    )
    finished.assert_says(f"web-1 | {said}")
    assert sorted(made.ids()) == ["db-1", "web-1"]
    assert said.encode() in made.containers()["web-1"].logs()

    made.inv("up").assert_ok()


def test_one_that_has_to_complete(stack: MakeStack) -> None:
    """A service that others wait for to complete has done its part when it exited with 0."""
    made = stack(f"""
        services:
          prepare: {{image: IMAGE, command: [sh, -c, "sleep 0.3; exit ${{STATUS:-0}}"]}}
          web:
            image: IMAGE
            command: [sh, -c, "{WELL}"]
            depends_on: {{prepare: {{condition: service_completed_successfully}}}}
            stop_grace_period: 1s
        """)
    made.inv("up", STATUS="3").assert_failed(12, "prepare-1 exited with status 3. …")
    assert sorted(made.ids()) == ["prepare-1"]
    finished = made.inv("up")
    finished.assert_ok()
    finished.assert_says("prepare-1 is exited with 0 (…)", "web-1 is running (…)")


def test_ctrl_c_while_waiting(stack: MakeStack) -> None:
    """Who stops `up` in the middle finds nothing of what it made, but for the volume."""
    made = stack(TWO)
    slow = "sleep 60"
    with made.running_inv("up", WEB=slow) as inv:
        inv.wait_for("web-1 is starting (…)")
        inv.interrupt()
        inv.finish().assert_failed(130, "Stopped by SIGINT.")
    assert (made.ids(), made.networks()) == ({}, [])
    assert made.volumes() == [f"{made.name}_data"]


def test_ctrl_c_keeps_what_was_there(stack: MakeStack) -> None:
    """What an earlier `up` made is not taken back by a later one that was stopped."""
    made = stack(TWO)
    made.inv("up").assert_ok()
    before = made.ids()
    made.write(TWO + "  more:\n", "docker-compose.yml")
    text = TWO.replace("volumes:\n  data:", "") + (
        "  late: {image: IMAGE, command: [sleep, '60'], healthcheck: {test: 'false', "
        "interval: 1s, retries: 60}}\nvolumes:\n  data:\n"
    )
    made.write(text)
    with made.running_inv("up") as inv:
        inv.wait_for("late-1 is starting (…)")
        inv.signal(signal.SIGTERM)
        inv.finish().assert_failed(143, "Stopped by SIGTERM.")
    assert made.ids() == before


def test_ctrl_c_while_building(stack: MakeStack) -> None:
    """A build that is stopped leaves no container of its own, and nothing was made of the stack."""
    made = stack(BUILT)
    made.write(DOCKERFILE + "RUN sleep 60\n", "app/Dockerfile")
    made.write("1", "app/file")
    with made.running_inv("up", WEB_PORT=str(free_port())) as inv:
        inv.wait_for("Building web: 4/4 RUN sleep 60")
        made.wait_for_images_containers(1)
        inv.interrupt()
        inv.finish(timeout=SOON).assert_failed(130, "Stopped by SIGINT.")
    assert (made.ids(), made.networks()) == ({}, [])
    made.wait_for_images_containers(0)


# In its short form the engine would make the folder.
REFUSED = 'volumes: ["data:/data", {type: bind, source: ./no, target: /no}]'


def test_refused_by_the_engine(stack: MakeStack) -> None:
    """What the engine does not take is said in its words, and what was made before is gone."""
    made = stack(TWO.replace('volumes: ["data:/data"]', REFUSED))
    finished = made.inv("up")
    finished.assert_failed(
        12, "The container engine refused: …bind source path does not exist…no. …"
    )
    assert (made.ids(), made.networks()) == ({}, [])


def test_old_one_is_back_when_the_new_one_cannot_be_made(stack: MakeStack) -> None:
    """A replacement that the engine refuses leaves the container that it was to replace."""
    made = stack(TWO)
    made.inv("up").assert_ok()
    before = made.ids()
    made.write(TWO.replace('volumes: ["data:/data"]', REFUSED))
    made.inv("up").assert_failed(12, "The container engine refused: …")
    assert made.ids() == before
    database = made.containers()["db-1"]
    assert (database.name, database.status) == (f"{made.name}-db-1", "running")
