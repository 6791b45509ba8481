"""From files to a project: names, variables, several files, and what is refused and how."""

import logging
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from alembic_boot.errors import ConfigurationError
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


def test_env_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It may hold the stack's name: no other stack is meant by accident. No value is shown."""
    (tmp_path / ".env").write_text("A=1\nPASSWORD='secret\n")
    with pytest.raises(ConfigurationError) as raised:
        read_place(tmp_path, {})
    assert str(raised.value) == (".env, line 2: the quote of PASSWORD is not closed. Correct it.")
    (tmp_path / ".env").write_bytes(b"A=\xe9")
    with pytest.raises(ConfigurationError, match=r"^\.env cannot be read: .*utf-8"):
        read_place(tmp_path, {})


def test_other_env_files(tmp_path: Path) -> None:
    """The variables by which Compose takes other files instead of `.env`, or none."""
    (tmp_path / ".env").write_text("A=env\n")
    (tmp_path / "one.env").write_text("A=one\nB=$A\n")
    (tmp_path / "two.env").write_text("B=two:$B\n")
    text = "services: {a: {image: x, environment: [A, B]}}"
    one = read(tmp_path, text, {"COMPOSE_ENV_FILES": "one.env,two.env"})
    assert one.services["a"].environment == {"A": "one", "B": "two:one"}
    none = read(tmp_path, text, {"COMPOSE_DISABLE_ENV_FILE": "1"})
    assert none.services["a"].environment == {}
    with pytest.raises(ConfigurationError, match=r"three\.env does not exist\."):
        read(tmp_path, text, {"COMPOSE_ENV_FILES": "three.env"})


def test_env_file_beside_the_first_file(tmp_path: Path) -> None:
    """The stack's own folder may have a `.env`, too; the one here wins."""
    sub = tmp_path / "deploy"
    write(sub, "services: {a: {image: x, environment: [A, B]}}", "base.yml")
    (sub / ".env").write_text("A=there\nB=there\n")
    (tmp_path / ".env").write_text("A=here\nCOMPOSE_FILE=deploy/base.yml\n")
    project = read_project(tmp_path, {})
    assert project.services["a"].environment == {"A": "here", "B": "there"}


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["compose.yaml", "docker-compose.yml"], ["compose.yaml"]),
        (["compose.yml"], ["compose.yml"]),
        (["docker-compose.yaml"], ["docker-compose.yaml"]),
        (
            ["docker-compose.yml", "compose.override.yaml", "docker-compose.override.yml"],
            ["docker-compose.yml", "compose.override.yaml"],
        ),
    ],
)
def test_files_that_compose_looks_for(
    tmp_path: Path, there: list[str], expected: list[str]
) -> None:
    for name in there:
        write(tmp_path, "services: {a: {image: x}}", name)
    assert [path.name for path in read_project(tmp_path, {}).files] == expected


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("ports: ['9000:80']", [(8000, 80), (9000, 80)]),
        ("ports: !override ['9000:80']", [(9000, 80)]),
        ("ports: !reset []", []),
        ("ports: !reset null", []),
        ("user: me", [(8000, 80)]),
    ],
)
def test_tags(tmp_path: Path, override: str, expected: list[tuple[int, int]]) -> None:
    """`!override` and `!reset` of a later file take away what the earlier one says."""
    write(tmp_path, f"services: {{a: {{{override}}}}}", "docker-compose.override.yml")
    project = read(tmp_path, "services: {a: {image: x, ports: ['8000:80']}}")
    found = [(it.published and it.published.first, it.target) for it in project.services["a"].ports]
    assert found == expected


def test_extensions_mean_nothing(tmp_path: Path) -> None:
    text = "x-a: 1\nservices: {a: {image: x, x-b: 1, build: {context: ., x-c: 1}}}"
    assert read(tmp_path, text).services["a"].image == "x"


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
            "docker-compose.yml has services.a.privileged, a key that is not supported here "
            "(line 1). "
            "Take it out, or run the stack with `docker compose up`.",
        ),
        (
            "name: x\nservices: {a: {image: x}}",
            "docker-compose.yml has name, a key that is not supported here (line 1). "
            "Take it out, or run the stack with `docker compose up`.",
        ),
        (
            "services: {a: {image: x, healthcheck: {test: x, start_interval: 1s}}}",
            "docker-compose.yml has services.a.healthcheck.start_interval, a key that is not "
            "supported here (line 1). Take it out, or run the stack with `docker compose up`.",
        ),
        ("volumes: {a: }", "services in docker-compose.yml: Field required. Correct it."),
        (
            "services: {a: {image: x, user: '${NOBODY:?say who}'}}",
            "services.a.user in docker-compose.yml, line 1: NOBODY is not set: say who. "
            "Set the variable, in .env too, or correct it.",
        ),
        (
            "services: {a: {image: x, ports: ['$$:80']}}",
            "services.a.ports.0 in docker-compose.yml, line 1: '$:80' is not a port: write it as "
            "8000:8000, "
            "127.0.0.1:8000:8000 or 8000-8004:8000, with one port of the container. Correct it.",
        ),
        (
            "services: {a: {image: x, stop_grace_period: soon}}",
            "services.a.stop_grace_period in docker-compose.yml, line 1: 'soon' is not a duration: "
            "write it "
            "as 500ms, 10s or 1m30s. Correct it.",
        ),
        (
            "services: {a: {image: x, env_file: [{path: a, format: raw}]}}",
            "docker-compose.yml has services.a.env_file.0.format, a key that is not supported here "
            "(line 1). Take it out, or run the stack with `docker compose up`.",
        ),
        (
            "services: {a: {image: x, healthcheck: {test: [pg_isready]}}}",
            "services.a.healthcheck.test in docker-compose.yml, line 1: a list has to begin with "
            "NONE, CMD or CMD-SHELL. Correct it.",
        ),
        (
            "services:\n  a:\n    image: x\n    environment:\n      PIN: 0123\n",
            "services.a.environment.PIN in docker-compose.yml, line 5: without quotes YAML reads "
            "it as a number, a date or a truth, and Compose writes that in another way. Put the "
            "value into quotes.",
        ),
        (
            "services: {a: {image: x, read_only: perhaps}}",
            "services.a.read_only in docker-compose.yml, line 1: Input should be a valid "
            "boolean, unable "
            "to interpret input. Correct it.",
        ),
        (
            "services: {a: {image: x, volumes: [/anonymous]}}",
            "services.a.volumes.0 in docker-compose.yml, line 1: '/anonymous' is not a volume: "
            "write it as "
            "data:/path or ./data:/path:ro. Correct it.",
        ),
        (
            "services: {a: {user: me}}",
            "services.a has neither image nor build (docker-compose.yml, line 1). Give it one "
            "of them.",
        ),
        (
            "services: {a: {image: x, depends_on: [b]}}",
            "services.a names the service b, which does not exist (docker-compose.yml, line 1). "
            "Describe it under services, or "
            "correct the name.",
        ),
        (
            "services: {a: {image: x, volumes: ['data:/x']}}",
            "services.a names the volume data, which does not exist (docker-compose.yml, line 1). "
            "Describe it under volumes, or "
            "correct the name.",
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


NO_USER = "it is not a user: write it as a name or a number, or as USER:GROUP"
UNQUOTED = "without quotes YAML reads it as a number"
NO_PAUSE = "it has to be 0, which is the image's own, or 1ms to 2562047h"


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        *((f"user: {it}", NO_USER) for it in ("true", "1.5", "'a b'", "'1000:'", "':1'", "-1")),
        *((f"user: {it}", NO_USER) for it in ("99999999999", "'a:b:c'", "'1000:true'", "'a/b'")),
        *((f"user: {it}", UNQUOTED) for it in ("0755", "0x10", "1_000", "2024-01-01", "True")),
        *((f"user: {it}", "should be a valid string") for it in ("[a]", "{a: 1}")),
        ("healthcheck: {test: ''}", "after CMD-SHELL comes a command"),
        ("healthcheck: {test: ' '}", "after CMD-SHELL comes a command"),
        ("healthcheck: {test: [CMD-SHELL]}", "after CMD-SHELL comes a command"),
        ("healthcheck: {test: [CMD]}", "after CMD comes a command"),
        ("healthcheck: {test: [CMD, '']}", "after CMD comes a command"),
        ("healthcheck: {test: [NONE, x]}", "NONE stands alone"),
        ("healthcheck: {test: [CMD, [a]]}", "should be a valid string"),
        ("healthcheck: {test: {a: b}}", "should be a valid tuple"),
        ("healthcheck: {test: 0755}", UNQUOTED),
        ("healthcheck: {test: [CMD, sleep, 1.10]}", UNQUOTED),
        ("healthcheck: {test: x, interval: 1us}", NO_PAUSE),
        ("healthcheck: {test: x, timeout: 0.5ms}", NO_PAUSE),
        ("healthcheck: {test: x, start_period: 99999999h}", NO_PAUSE),
        ("healthcheck: {test: x, retries: 99999999999999999999}", "less than or equal to"),
        ("healthcheck: pg_isready", "should be a valid dictionary"),
    ],
)
def test_values_that_the_engine_would_refuse(tmp_path: Path, part: str, reason: str) -> None:
    """They are refused when the file is read, with their place in the file."""
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, f"services:\n  a:\n    image: x\n    {part}\n")
    key = part.partition(":")[0]
    assert str(raised.value).startswith(f"services.a.{key}")
    assert "docker-compose.yml, line 4: " in str(raised.value)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    "part",
    [
        *(f"user: {it}" for it in ("1000", "1000:1000", "me", "me:staff", "www-data", "''", "mé")),
        "user:",
        "healthcheck: {test: [NONE]}",
        "healthcheck: {test: [CMD, sleep, 1]}",
        "healthcheck: {test: [CMD-SHELL, 'exit 0']}",
        "healthcheck: {test: x, interval: 0s, timeout: 1ms, start_period: 48h, retries: 1}",
        "healthcheck: {disable: true}",
        "healthcheck:",
    ],
)
def test_values_that_the_engine_takes(tmp_path: Path, part: str) -> None:
    """They are in order as they stand."""
    assert read(tmp_path, f"services:\n  a:\n    image: x\n    {part}\n").services["a"]


def test_refusal_names_the_line(tmp_path: Path) -> None:
    text = "services:\n  a:\n    image: x\n    ports:\n      - 80:80\n      - what\n"
    with pytest.raises(ConfigurationError, match=r"^services\.a\.ports\.1 in .*\.yml, line 6: "):
        read(tmp_path, text)


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
