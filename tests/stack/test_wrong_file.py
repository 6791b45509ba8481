"""A Compose file that is wrong is refused by every task that reads it, engine or none."""

from pathlib import Path

import pytest

from tests.scenarios.process import project, run

pytestmark = pytest.mark.slow  # each starts a process; together they take six seconds

WRONG = {
    "key": (
        "services: {web: {image: x, privileged: true}}",
        "docker-compose.yml has services.web.privileged, a key that is not supported here "
        "(line 1). Take it out, or run the stack with `docker compose up`.",
    ),
    "circle": (
        "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}",
        "The services wait for each other in a circle: a → b → a. "
        "Take one of these out of its depends_on.",
    ),
    "variable": (
        "services: {web: {image: '${NOBODY:?say which one}'}}",
        "services.web.image in docker-compose.yml, line 1: NOBODY is not set: say which one. "
        "Set the variable, in .env too, or correct it.",
    ),
    "yaml": (
        "services: {web: {image: x}",
        "docker-compose.yml is not valid YAML: line …: expected ',' or '}', but got "
        "'<stream end>'. "
        "Correct it.",
    ),
    "empty": ("", "docker-compose.yml is not a mapping. Begin it with `services:`."),
}


@pytest.mark.parametrize("task", ["up", "build"])
@pytest.mark.parametrize(("text", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_refused_without_an_engine(tmp_path: Path, task: str, text: str, sentence: str) -> None:
    """The file is read before the engine is asked: what is wrong with it is said first."""
    folder = project(tmp_path)
    (folder / "docker-compose.yml").write_text(text, encoding="utf-8")
    run(folder, task, DOCKER_HOST="unix:///nowhere").assert_failed(2, sentence)


@pytest.mark.parametrize("task", ["up", "build"])
def test_no_file(tmp_path: Path, task: str) -> None:
    """A folder without a file, or with the wrong name in COMPOSE_FILE."""
    folder = project(tmp_path)
    advice = "Set COMPOSE_FILE, or run this in the file's folder."
    run(folder, task, DOCKER_HOST="unix:///nowhere").assert_failed(
        2, f"docker-compose.yml does not exist. {advice}"
    )
    run(folder, task, COMPOSE_FILE="other.yml").assert_failed(
        2, f"other.yml does not exist. {advice}"
    )
