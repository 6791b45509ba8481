"""From files to a project: names, variables, several files, and what is refused and how."""

import logging
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from backend.boot.errors import ConfigurationError
from backend.stack.compose.model import Condition, Port
from backend.stack.compose.ports import PortRange
from backend.stack.compose.project import Project
from backend.stack.compose.reading import read_place, read_project


def write(folder: Path, text: str, name: str = "docker-compose.yml") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(dedent(text), encoding="utf-8")
    return path


def read(folder: Path, text: str, variables: Mapping[str, str] | None = None) -> Project:
    write(folder, text)
    return read_project(folder, variables or {})


STACK = """
services:
  db:
    image: ${POSTGRES_IMAGE:-postgres:18}
    healthcheck: {test: pg_isready, interval: 5s, retries: 3}
    volumes: [data:/var/lib/postgresql/data]
  web:
    build: {context: ., dockerfile: docker/web/Dockerfile, args: {VERSION: "1"}}
    environment: {APP_ENV: "${APP_ENV:-dev}", SEED: true, LOG_LEVEL: }
    depends_on: {db: {condition: service_healthy}}
    ports: ["${WEB_PORT:-8000}:8000"]
    command: inv start --port '8 000'
    deploy: {resources: {limits: {cpus: "1.5", memory: 256M}}}
    stop_grace_period: 1m
    read_only: true
volumes:
  data:
"""


def test_whole_file(tmp_path: Path) -> None:
    """A file like ours is read whole, with its variables, units and short forms."""
    project = read(tmp_path / "My.Stack_1", STACK, {"WEB_PORT": "8000-8004", "LOG_LEVEL": "debug"})
    web, db = project.services["web"], project.services["db"]
    assert project.name == "mystack_1"
    assert (project.image_of("db"), project.image_of("web")) == ("postgres:18", "mystack_1-web")
    assert web.environment == {"APP_ENV": "dev", "SEED": "true", "LOG_LEVEL": "debug"}
    assert web.depends_on["db"].condition is Condition.HEALTHY
    assert web.ports == (Port(target=8000, published=PortRange(8000, 8004)),)
    assert web.command == ("inv", "start", "--port", "8 000")
    assert web.deploy.resources.limits.memory == 256 << 20
    assert (web.stop_grace_period, web.read_only) == (60 * 10**9, True)
    assert db.healthcheck is not None
    assert db.healthcheck.test == ("CMD-SHELL", "pg_isready")
    assert (db.healthcheck.interval, db.healthcheck.retries) == (5 * 10**9, 3)


def test_environment_wins_over_env_file(tmp_path: Path) -> None:
    """Of `.env` and the environment the latter decides, even with an empty value."""
    (tmp_path / ".env").write_text("ONE=file\nTWO=file\nTHREE='a $ b'\n")
    text = "services: {a: {image: x, environment: {ALL: '$ONE/$TWO/$THREE'}}}"
    project = read(tmp_path, text, {"TWO": ""})
    assert project.services["a"].environment == {"ALL": "file//a $ b"}


@pytest.mark.parametrize(
    ("folder", "variables", "expected"),
    [
        ("storybooks", {}, "storybooks"),
        ("My Books (2)", {}, "mybooks2"),
        ("__a-b_c", {}, "a-b_c"),
        ("folder", {"COMPOSE_PROJECT_NAME": "Other.Name"}, "othername"),
        ("folder", {"COMPOSE_PROJECT_NAME": ""}, "folder"),
    ],
)
def test_name(tmp_path: Path, folder: str, variables: dict[str, str], expected: str) -> None:
    """The stack is called what Compose calls it; the files are not needed for that."""
    (tmp_path / folder).mkdir()
    assert read_place(tmp_path / folder, variables).name == expected


def test_name_from_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=named\n")
    assert read_place(tmp_path, {}).name == "named"
    with pytest.raises(ConfigurationError, match="'---' gives no name for the stack"):
        read_place(tmp_path, {"COMPOSE_PROJECT_NAME": "---"})


def test_override_file_is_merged(tmp_path: Path) -> None:
    """An override beside the file is taken without being asked for, as Compose does."""
    write(tmp_path, "services: {a: {image: x}}", "docker-compose.override.yml")
    project = read(tmp_path, "services: {a: {image: y, user: me}, b: {image: z}}")
    assert (project.services["a"].image, project.services["a"].user) == ("x", "me")
    assert [path.name for path in project.files] == [
        "docker-compose.yml",
        "docker-compose.override.yml",
    ]


def test_compose_file_names_several(tmp_path: Path) -> None:
    """COMPOSE_FILE, in `.env` too, names the files; the first one's folder is the stack's."""
    sub = tmp_path / "deploy"
    write(sub, "services: {a: {image: x, environment: [A=1, B=2]}}", "base.yml")
    write(tmp_path, "services: {a: {environment: {B: 3}}}", "more.yml")
    (tmp_path / ".env").write_text("COMPOSE_FILE=deploy/base.yml:more.yml\n")
    project = read_project(tmp_path, {})
    assert (project.name, project.place.folder) == ("deploy", sub)
    assert project.services["a"].environment == {"A": "1", "B": "3"}


def test_unset_variable_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        project = read(tmp_path, "services: {a: {image: x, user: $NOBODY}}")
    assert project.services["a"].user == ""
    assert caplog.messages == ["NOBODY is not set; docker-compose.yml gets an empty text for it"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "services: {a: {image: x, privileged: true}}",
            "docker-compose.yml has services.a.privileged, a key that is not supported here. "
            "Take it out, or run the stack with `docker compose up`.",
        ),
        (
            "name: x\nservices: {a: {image: x}}",
            "docker-compose.yml has name, a key that is not supported here. "
            "Take it out, or run the stack with `docker compose up`.",
        ),
        (
            "services: {a: {image: x, healthcheck: {test: x, start_interval: 1s}}}",
            "docker-compose.yml has services.a.healthcheck.start_interval, a key that is not "
            "supported here. Take it out, or run the stack with `docker compose up`.",
        ),
        ("volumes: {a: }", "services in docker-compose.yml: Field required. Mend it."),
        (
            "services: {a: {image: x, user: '${NOBODY:?say who}'}}",
            "services.a.user in docker-compose.yml: NOBODY is not set: say who. "
            "Set the variable, in .env too, or mend it.",
        ),
        (
            "services: {a: {image: x, ports: ['$$:80']}}",
            "services.a.ports.0 in docker-compose.yml: '$:80' is no port: write it as 8000:8000, "
            "127.0.0.1:8000:8000 or 8000-8004:8000, with one port of the container. Mend it.",
        ),
        (
            "services: {a: {image: x, stop_grace_period: soon}}",
            "services.a.stop_grace_period in docker-compose.yml: 'soon' is no duration: write it "
            "as 500ms, 10s or 1m30s. Mend it.",
        ),
        (
            "services: {a: {image: x, read_only: perhaps}}",
            "services.a.read_only in docker-compose.yml: Input should be a valid boolean, unable "
            "to interpret input. Mend it.",
        ),
        (
            "services: {a: {image: x, volumes: [/anonymous]}}",
            "services.a.volumes.0 in docker-compose.yml: '/anonymous' is no volume: write it as "
            "data:/path or ./data:/path:ro. Mend it.",
        ),
        (
            "services: {a: {user: me}}",
            "services.a has neither image nor build. Give it one of them.",
        ),
        (
            "services: {a: {image: x, depends_on: [b]}}",
            "services.a names the service b, which is not there. Describe it under services, or "
            "mend the name.",
        ),
        (
            "services: {a: {image: x, volumes: ['data:/x']}}",
            "services.a names the volume data, which is not there. Describe it under volumes, or "
            "mend the name.",
        ),
        (
            "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}",
            "The services wait for each other in a circle: a → b → a. Take one of these out of "
            "its depends_on.",
        ),
    ],
)
def test_refusal(tmp_path: Path, text: str, sentence: str) -> None:
    """What is wrong is named, with where it stands and what to do."""
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, text)
    assert str(raised.value) == sentence


def test_refusal_names_the_file_that_has_it(tmp_path: Path) -> None:
    write(tmp_path, "services: {a: {privileged: true}}", "docker-compose.override.yml")
    with pytest.raises(ConfigurationError, match=r"^docker-compose\.override\.yml has services\.a"):
        read(tmp_path, "services: {a: {image: x}}")


def test_refusal_shows_no_value(tmp_path: Path) -> None:
    """A value may be a secret: what is refused for its form is named by its key alone."""
    text = "services: {a: {image: x, environment: {PASSWORD: [$SECRET]}}}"
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, text, {"SECRET": "a-long-random-text"})
    assert "a-long-random-text" not in str(raised.value)
    assert "a-long-random-text" not in repr(read(tmp_path, STACK, {"WEB_PORT": "1"}))
