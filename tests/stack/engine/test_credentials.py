"""Credentials for registries are docker's own, and a helper that fails stops nothing."""

import logging
from base64 import b64encode
from pathlib import Path

import pytest
from docker.auth import INDEX_URL

from alembic_boot.errors import ConfigurationError
from backend.stack.engine.credentials import Credentials, read_credentials

HUB = INDEX_URL
AUTH = {"auth": b64encode(b"me:secret").decode()}


def read(**config: object) -> Credentials:
    return read_credentials(config, "config.json")


def users(credentials: Credentials) -> dict[str, object]:
    """Return who logs in where, however the entry spells it."""
    found = credentials.get_all_credentials()
    return {name: entry.get("username", entry.get("Username")) for name, entry in found.items()}


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a credential helper `here` that answers what the test makes it answer."""
    program = tmp_path / "docker-credential-here"
    program.write_text(
        "#!/bin/sh\n"
        f'case "$1" in list) echo \'{{"{HUB}": "you"}}\';; get) cat > /dev/null;'
        ' echo \'{"Username": "you", "Secret": "s"}\';; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return program


def test_helper_that_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    """As docker does, go on with what the file itself has, and say so once."""
    found = read(credsStore="gone", credHelpers={"a.io": "away"}, auths={"b.io": AUTH})
    with caplog.at_level(logging.WARNING):
        assert users(found) == users(found) == {"b.io": "me"}
        assert found.resolve_authconfig("a.io") is None
        assert found.resolve_authconfig("b.io")["username"] == "me"
    assert [it.split(",")[0] for it in caplog.messages] == [
        "docker-credential-gone",
        "docker-credential-away",
    ]


def test_helper_that_works(helper: Path) -> None:
    found = read(credsStore="here", auths={HUB: {}})
    assert users(found)[HUB] == "you"
    assert found.resolve_authconfig("docker.io")["Username"] == "you"


def test_one_helper_of_several_is_missing(helper: Path) -> None:
    """The others are asked all the same."""
    found = read(credsStore="gone", credHelpers={"a.io": "here", "c.io": "gone"})
    assert users(found) == {"a.io": "you"}


@pytest.mark.parametrize(
    "script", ["exit 1", "echo no JSON", "echo '{}'", "echo secret >&2; false"]
)
def test_helper_that_fails(helper: Path, script: str, caplog: pytest.LogCaptureFixture) -> None:
    helper.write_text(f"#!/bin/sh\n{script}\n")
    found = read(credsStore="here", auths={"b.io": AUTH})
    assert users(found) == {"b.io": "me"}
    assert found.resolve_authconfig("docker.io") is None
    assert "secret" not in caplog.text


@pytest.mark.parametrize("auths", [{"x": 3}, {"x": {"auth": "!!!"}}, {"x": {"auth": "bWU="}}])
def test_damaged(auths: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^auths in config\.json cannot be read\."):
        read(auths=auths)
