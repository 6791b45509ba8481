"""The pipeline on a real engine: its table, its logs, and that nothing of a run is left."""

import signal
from collections.abc import Callable

import pytest

from tests.ci.project import PipelineProject
from tests.scenarios.process import DEADLINE, Finished
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

MakeProject = Callable[..., PipelineProject]

# A `make test` that makes one of each in the engine, as the tests of the project do.
MAKES_THINGS = """
import signal, sys, time
from pathlib import Path
import docker
from backend.stack.engine.labels import of_run

signal.signal(signal.SIGINT, lambda *_: sys.exit("test: tidied up"))
engine, name = docker.from_env(), Path.cwd().name
engine.networks.create(name, labels=of_run())
engine.volumes.create(name, labels=of_run())
engine.containers.run("TINY", ["sleep", "1000"], detach=True, network=name, labels=of_run())
print("test: everything is made")
while True:  # Python does not look for signals once more before a long sleep
    time.sleep(0.05)
"""

# Two stages, of which the first is done when the second begins to wait.
SLOW_BUILD = """
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE} AS first
RUN ["touch", "/data/first"]
FROM ${PYTHON_IMAGE}
COPY --from=first /data/first /data/
RUN ["sleep", "1000"]
"""


def results(finished: Finished) -> dict[str, str]:
    """Return the table at the end."""
    cells = [line.split() for line in finished.stdout]
    rows = cells[cells.index(["step", "result", "seconds"]) + 1 :]
    return {name: result for name, result, _ in rows}


def test_passed(make_project: MakeProject) -> None:
    """Output is on stdout; what was made is removed, and with it the log."""
    project = make_project(test="print('hello from make')")
    finished = project.inv("ci.test")
    finished.assert_ok()
    assert "hello from make" in finished.stdout
    assert results(finished) == {"ci.test": "passed"}
    assert project.logs() == ""


def test_a_failure_hides_no_other(make_project: MakeProject) -> None:
    """Later steps still run, but for those that need what failed; the logs are kept."""
    project = make_project(dockerfile="FROM scratch\nCOPY nothing /\n", test="raise SystemExit(1)")
    finished = project.inv("ci")
    assert finished.status == 1
    assert results(finished) == {
        "ci.lint": "failed",  # there is nothing to lint
        "ci.image": "failed",
        "ci.test": "failed",
    }
    failed = "ci.lint and ci.image and ci.test failed. Read the logs"
    assert finished.stderr[-1].startswith(failed)
    assert "ci.test begins" in project.logs()
    assert "The image of backend cannot be built" in project.logs()
    skipped = project.inv("ci.scenarios")
    assert results(skipped) == {"ci.image": "failed", "ci.scenarios": "skipped"}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_a_test(make_project: MakeProject, signum: signal.Signals) -> None:
    """Container, network and volume that a step has made go with the run."""
    project = make_project(test=MAKES_THINGS)
    with project.running_inv("ci.test") as process:
        process.wait_for("test: everything is made")
        assert project.belongings(process.pid) == ["container", "network", "volume"]
        process.signal(signum)
        finished = process.finish()
    assert project.belongings(process.pid) == []
    assert finished.status == 128 + signum
    assert results(finished)["ci.test"] == "stopped"
    assert "test: tidied up" in project.logs()


def test_stopped_in_a_build(make_project: MakeProject) -> None:
    """The stage that was built already goes, and the step that ran in a container ends."""
    project = make_project(SLOW_BUILD)
    with project.running_inv("ci.image") as process:
        process.wait_for('Building backend: … RUN ["sleep", "1000"]')
        process.interrupt()
        finished = process.finish()
    assert project.belongings(process.pid) == []
    assert results(finished) == {"ci.image": "stopped"}
    assert finished.status == 130
    wait_until(lambda: not project.containers(), DEADLINE)


def test_killed_in_a_test(make_project: MakeProject) -> None:
    """What a killed run's step goes on with is ended, and what it made removed, by the next run."""
    killed, next_one = make_project(test=MAKES_THINGS), make_project(test="print('hello')")
    with killed.running_inv("ci.test") as process:
        process.wait_for("test: everything is made")
        process.signal(signal.SIGKILL)
    assert killed.belongings(process.pid) == ["container", "network", "volume"]
    finished = next_one.inv("ci.test")
    finished.assert_ok()
    finished.assert_says(
        f"Ended 2 processes that the run …:{process.pid}:… left behind",
        f"Removed 3 things that the run …:{process.pid}:… left behind",
    )
    assert killed.belongings(process.pid) == []


def test_killed_in_a_build(make_project: MakeProject) -> None:
    """What a run leaves that was killed is removed when the next one starts."""
    killed, next_one = make_project(SLOW_BUILD), make_project(test="print('hello')")
    with killed.running_inv("ci.image") as process:
        process.wait_for('Building backend: … RUN ["sleep", "1000"]')
        process.signal(signal.SIGKILL)
    wait_until(lambda: not killed.containers(), DEADLINE)
    assert set(killed.belongings(process.pid)) == {"image"}
    finished = next_one.inv("ci.test")
    finished.assert_ok()
    finished.assert_says(f"Removed … things that the run …:{process.pid}:… left behind")
    assert killed.belongings(process.pid) == []


def test_others_are_left_alone(make_project: MakeProject) -> None:
    """Neither the sweep nor the end of a run touches what one has that still runs."""
    project, other = make_project(test=MAKES_THINGS), make_project(test="print('hello')")
    with project.running_inv("ci.test") as process:
        process.wait_for("test: everything is made")
        other.inv("ci.test").assert_ok()
        assert project.belongings(process.pid) == ["container", "network", "volume"]
        process.interrupt()
        assert process.finish().status == 130


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("docker/Dockerfile", "…/docker/Dockerfile cannot be read: No such file or directory. …"),
        ("docker-compose.yml", "…docker-compose.yml…"),
    ],
)
def test_missing_file(make_project: MakeProject, file: str, sentence: str) -> None:
    project = make_project(SLOW_BUILD)
    (project.folder / file).unlink()
    finished = project.inv("ci.image")
    finished.assert_failed(1, "ci.image failed. Read the logs in …")
    finished.assert_says(sentence)


def test_unfit_image(make_project: MakeProject) -> None:
    """An image that cannot even be looked at is said to be so, and is removed."""
    project = make_project("ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}\n")
    finished = project.inv("ci.image")
    finished.assert_failed(1, "ci.image failed. Read the logs in …")
    finished.assert_says("Image moriai-ci/backend:… built …", "…python…")


def test_without_an_engine(make_project: MakeProject) -> None:
    """What needs none is done; what needs one says in a sentence that there is none."""
    project = make_project(test="print('hello')")
    nowhere = "unix:///nowhere.sock"
    project.inv("ci.test", DOCKER_HOST=nowhere).assert_ok()
    finished = project.inv("ci.image", DOCKER_HOST=nowhere)
    finished.assert_failed(1, "ci.image failed. Read the logs in …")
    finished.assert_says(f"No container engine answers at {nowhere}. …")
