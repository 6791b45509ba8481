"""What the engine is told to make of a service, and the hash that it is known again by."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from alembic_boot.errors import ConfigurationError
from backend.stack.compose.model import ComposeFile
from backend.stack.compose.project import Place, Project
from backend.stack.engine.configuration import config_hash, container_body
from tests.rights import rights_of_the_files

FOLDER = Path("/nowhere/books")


def project(service: dict[str, Any], folder: Path = FOLDER, **others: Any) -> Project:
    content = ComposeFile.model_validate({"services": {"web": {"image": "x", **service}}, **others})
    return Project(Place("books", folder), (folder / "docker-compose.yml",), content)


def test_least() -> None:
    """Where nothing is said, the engine and the image decide."""
    assert container_body(project({}), "web") == {
        "Image": "x",
        "HostConfig": {
            "NetworkMode": "books_default",
            "ReadonlyRootfs": False,
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        },
        "NetworkingConfig": {"EndpointsConfig": {"books_default": {"Aliases": ["web"]}}},
    }


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"command": ["a", "b c"]}, {"Cmd": ["a", "b c"]}),
        ({"command": "a 'b c'"}, {"Cmd": ["a", "b c"]}),
        ({"entrypoint": "a"}, {"Entrypoint": ["a"]}),
        ({"environment": {"B": "2", "A": "x=y"}}, {"Env": ["A=x=y", "B=2"]}),
        ({"stop_grace_period": "1m"}, {"StopTimeout": 60}),
        ({"stop_grace_period": "500ms"}, {"StopTimeout": 1}),
        ({"healthcheck": {"disable": "true"}}, {"Healthcheck": {"Test": ["NONE"]}}),
        (
            {"healthcheck": {"test": "x", "interval": "1s", "retries": "3"}},
            {"Healthcheck": {"Test": ["CMD-SHELL", "x"], "Interval": 10**9, "Retries": 3}},
        ),
        ({"expose": ["80", "53/udp"]}, {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}),
    ],
)
def test_container(service: dict[str, Any], expected: dict[str, Any]) -> None:
    body = container_body(project(service), "web")
    assert {key: body[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"init": "true"}, {"Init": True}),
        ({"read_only": "true"}, {"ReadonlyRootfs": True}),
        ({"tmpfs": ["/tmp", "/run:size=1m"]}, {"Tmpfs": {"/tmp": "", "/run": "size=1m"}}),
        ({"mem_limit": "64m", "cpus": "0.5"}, {"Memory": 64 << 20, "NanoCpus": 500_000_000}),
        (
            {"deploy": {"resources": {"limits": {"cpus": "2", "memory": "1g", "pids": "99"}}}},
            {"Memory": 1 << 30, "NanoCpus": 2 * 10**9, "PidsLimit": 99},
        ),
        (
            {"restart": "on-failure:3"},
            {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
        ),
        ({"cap_drop": ["ALL"]}, {"CapDrop": ["ALL"]}),
        (
            {"ports": ["127.0.0.1:8000-8004:80", "81:80"]},
            {
                "PortBindings": {
                    "80/tcp": [
                        {"HostIp": "127.0.0.1", "HostPort": "8000-8004"},
                        {"HostIp": "", "HostPort": "81"},
                    ]
                }
            },
        ),
        (
            {"logging": {"driver": "json-file", "options": {"max-size": "10m"}}},
            {"LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}}},
        ),
        (
            {"volumes": ["data:/data", "./src:/src:ro", "/abs:/abs"]},
            {
                "Binds": ["/nowhere/books/src:/src:ro", "/abs:/abs:rw"],
                "Mounts": [
                    {
                        "Type": "volume",
                        "Source": "books_data",
                        "Target": "/data",
                        "ReadOnly": False,
                    },
                ],
            },
        ),
        (
            {
                "volumes": [
                    {"type": "bind", "source": "~x/y", "target": "/a", "read_only": "true"},
                    {"type": "bind", "source": "/b", "target": "/b", "bind": {}},
                ]
            },
            {
                "Binds": ["/b:/b:rw"],
                "Mounts": [
                    {
                        "Type": "bind",
                        "Source": "/nowhere/books/~x/y",
                        "Target": "/a",
                        "ReadOnly": True,
                    },
                ],
            },
        ),
    ],
)
def test_host_config(service: dict[str, Any], expected: dict[str, Any]) -> None:
    found = container_body(project(service, volumes={"data": None}), "web")["HostConfig"]
    assert {key: found[key] for key in expected} == expected


def test_secret_is_a_file(tmp_path: Path) -> None:
    """A secret is mounted from its file, which has to be there, and its content is nowhere."""
    described = project({"secrets": ["key"]}, tmp_path, secrets={"key": {"file": "key.txt"}})
    with pytest.raises(ConfigurationError, match=r"The secret key must be in .*key\.txt, which"):
        container_body(described, "web")
    tmp_path.chmod(0)
    with rights_of_the_files(), pytest.raises(ConfigurationError, match=r"key\.txt, which"):
        container_body(described, "web")
    tmp_path.chmod(0o755)
    (tmp_path / "key.txt").write_text("a-long-random-text")
    body = container_body(described, "web")
    assert body["HostConfig"]["Mounts"] == [
        {
            "Type": "bind",
            "Source": str(tmp_path / "key.txt"),
            "Target": "/run/secrets/key",
            "ReadOnly": True,
        }
    ]
    assert "a-long-random-text" not in str(body)


def test_env_file_under_environment(tmp_path: Path) -> None:
    (tmp_path / "web.env").write_text("A=1\nB=2\n")
    described = project({"env_file": "web.env", "environment": {"B": "3"}}, tmp_path)
    assert container_body(described, "web")["Env"] == ["A=1", "B=3"]
    with pytest.raises(ConfigurationError, match=r"none\.env does not exist\."):
        container_body(project({"env_file": ["none.env"]}, tmp_path), "web")
    optional = [{"path": "none.env", "required": "false"}]
    assert "Env" not in container_body(project({"env_file": optional}, tmp_path), "web")


def test_env_file_refers_to_variables(tmp_path: Path) -> None:
    """The stack's variables win over the service's, and those over the file's own."""
    (tmp_path / "web.env").write_text("A=$GIVEN\nB='$GIVEN'\nC=$OWN\nD=$C\nGIVEN\n")
    described = project({"env_file": "web.env", "environment": {"OWN": "o"}}, tmp_path)
    given = replace(described, variables={"GIVEN": "g"})
    expected = ["A=g", "B=$GIVEN", "C=o", "D=o", "GIVEN=g", "OWN=o"]
    assert container_body(given, "web")["Env"] == expected


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)


@given(st.dictionaries(TEXTS, TEXTS, min_size=2), st.randoms())
def test_hash_does_not_depend_on_order(variables: dict[str, str], random: Any) -> None:
    """The same variables in another order are the same container."""
    items = list(variables.items())
    random.shuffle(items)
    one, other = project({"environment": variables}), project({"environment": dict(items)})
    assert config_hash(one, "web", "id") == config_hash(other, "web", "id")


@given(st.dictionaries(TEXTS, TEXTS), st.dictionaries(TEXTS, TEXTS))
def test_hash_tells_variables_apart(one: dict[str, str], other: dict[str, str]) -> None:
    hashes = {config_hash(project({"environment": it}), "web", "id") for it in (one, other)}
    assert len(hashes) == (1 if one == other else 2)


def test_hash_changes_with_what_counts() -> None:
    """Image, command and ports make another container; folder, order and replicas do not."""
    base = config_hash(project({}), "web", "id")
    assert config_hash(project({}), "web", "other id") != base
    assert config_hash(project({"command": ["x"]}), "web", "id") != base
    assert config_hash(project({"ports": ["80:80"]}), "web", "id") != base
    assert config_hash(project({}, Path("/elsewhere/books")), "web", "id") == base
    assert config_hash(project({"deploy": {"replicas": "3"}}), "web", "id") == base
