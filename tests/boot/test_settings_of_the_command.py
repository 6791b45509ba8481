"""The settings of `alembic-boot`: what is read, what is not, and what a wrong value says."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from alembic_boot import pytest_plugin
from alembic_boot.description import AlembicConfig, BootDescription, OnFailure
from alembic_boot.errors import ConfigurationError
from alembic_boot.misspelt_names import misspelt_names
from alembic_boot.own_variables import VARIABLES
from alembic_boot.postgres.urls import parse_database_url
from alembic_boot.settings import URL, Settings, load_settings
from tests.boot.variables_of_others import OTHERS
from tests.rights import rights_of_the_files

A, B, C = (f"postgresql://u:secret@h/{name}" for name in "abc")


def load(flags: Mapping[str, str | None], **variables: str) -> Settings:
    return load_settings(flags, environ={**OTHERS, **variables})


def described(flags: Mapping[str, str | None], **variables: str) -> BootDescription:
    return load(flags, **variables).describe(parse_database_url(C))


@pytest.mark.parametrize(
    ("flags", "variables", "expected"),
    [
        ({}, {}, "cc"),
        ({}, {"DATABASE_URL": A}, "aa"),
        ({}, {"MIGRATION_DATABASE_URL": B}, "bb"),
        ({}, {"DATABASE_URL": A, "MIGRATION_DATABASE_URL": B}, "ab"),
        ({URL: C}, {"DATABASE_URL": A, "MIGRATION_DATABASE_URL": B}, "cc"),
        ({}, {"DATABASE_URL": ""}, "cc"),
        ({}, {"DATABASE_URL": A.replace("postgresql", "postgres")}, "aa"),
        ({}, {"DATABASE_URL": A.replace("ql:", "ql+asyncpg:") + "?ssl=require"}, "aa"),
    ],
)
def test_urls(flags: Mapping[str, str], variables: Mapping[str, str], expected: str) -> None:
    """A URL that was typed wins; a URL that env.py has comes last."""
    boot = described(flags, **variables)
    assert boot.database_url.database + boot.migration_database_url.database == expected


def test_variables_of_others_disturb_nothing() -> None:
    """Each of these names belongs to other programs, too."""
    boot = described({})
    assert boot.on_failure is OnFailure.EXIT
    assert not (boot.seed or boot.may_create_database or boot.compare_models)
    assert (boot.log_level, boot.log_format) == ("info", "text")


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("ALEMBIC_BOOT_WAIT_TIMEOUT", "long", "not a number of seconds"),
        ("ALEMBIC_BOOT_LOCK_TIMEOUT", "-1", "not a number of seconds"),
        ("ALEMBIC_BOOT_TRAFFIC_TIMEOUT", "x", "not a number of seconds"),
        ("ALEMBIC_BOOT_ROLLBACK", "2", "neither true nor false"),
        ("ALEMBIC_BOOT_CREATE_DATABASE", "2", "neither true nor false"),
        ("ALEMBIC_BOOT_COMPARE_MODELS", "2", "neither true nor false"),
        ("ALEMBIC_BOOT_ON_FAILURE", "wait", "none of continue, exit"),
        ("ALEMBIC_BOOT_LOG_LEVEL", "WARN", "none of debug"),
        ("ALEMBIC_BOOT_LOG_FORMAT", "xml", "none of text, json"),
        ("ALEMBIC_BOOT_X", "'", "not written as in a shell"),
        ("ALEMBIC_BOOT_SCRATCH_DATABASE_URL", "mysql://h/d", "not a PostgreSQL URL"),
        ("DATABASE_URL", "sqlite://", "not a PostgreSQL URL"),
        (URL, "mysql://h/d", "not a PostgreSQL URL"),
    ],
)
def test_wrong_values(name: str, value: str, complaint: str) -> None:
    """The variable is named, so that a person finds it."""
    with pytest.raises(ConfigurationError) as caught:
        described({name: value})
    assert name in str(caught.value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALEMBIC_BOOT_PORT", "70000"),
        ("ALEMBIC_BOOT_WORKERS", "0"),
        ("ALEMBIC_BOOT_RELOAD", "x"),
        ("ALEMBIC_BOOT_DRAIN_DELAY", "x"),
    ],
)
def test_wrong_values_of_the_server(name: str, value: str) -> None:
    """They stop only what serves."""
    settings = load({}, **{name: value})
    settings.describe(parse_database_url(C))
    with pytest.raises(ConfigurationError, match=name):
        settings.serving()


def test_a_service_link_is_no_port() -> None:
    """Kubernetes sets it for a Service that is called alembic-boot."""
    settings = load({}, ALEMBIC_BOOT_PORT="tcp://10.0.0.1:80")
    assert (settings.serving().port, settings.has_port) == (8000, False)
    assert settings.service_links == ("ALEMBIC_BOOT_PORT",)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ALEMBIC_BOOT_TIMEOUT", "ALEMBIC_BOOT_WAIT_TIMEOUT"),
        ("ALEMBIC_BOOT_TARGTE", "ALEMBIC_BOOT_TARGET"),
        ("ALEMBIC_BOOT_LOGLEVEL", "ALEMBIC_BOOT_LOG_LEVEL"),
        ("ALEMBIC_BOOT_DATABASE_URL", "DATABASE_URL"),
        ("ALEMBIC_BOOT_CONFIG", "ALEMBIC_CONFIG"),
        ("ALEMBIC_BOOT_QQQ", ""),
    ],
)
def test_a_misspelt_name(name: str, nearest: str) -> None:
    """It is reported with the setting that is meant."""
    assert load({}, **{name: "3"}).misspelt == ((name, nearest),)


@pytest.mark.parametrize("service", ["ALEMBIC_BOOT", "ALEMBIC_BOOT_STATUS", "ALEMBIC_BOOT_WEB"])
def test_names_that_are_not_misspelt(service: str) -> None:
    """Kubernetes sets some for a Service; an empty value sets nothing; others' names differ."""
    link = "tcp://10.0.0.1:80"
    environ = {
        f"{service}_SERVICE_HOST": "10.0.0.1",
        f"{service}_SERVICE_PORT": "80",
        f"{service}_SERVICE_PORT_HTTP": "80",
        f"{service}_PORT": link,
        f"{service}_PORT_80_TCP": link,
        f"{service}_PORT_80_TCP_PROTO": "tcp",
        f"{service}_PORT_80_TCP_PORT": "80",
        f"{service}_PORT_80_TCP_ADDR": "10.0.0.1",
        "ALEMBIC_BOOT_TIMEOUT": "",
        "DATABASE_URI": A,
        "ALEMBIC_TARGET": "x",
        "BOOT_FACTS": "{}",
    }
    assert misspelt_names({**dict.fromkeys(VARIABLES, "1"), **environ}) == ()


@pytest.mark.parametrize(
    ("files", "variables", "expected"),
    [
        ((), {}, "alembic.ini"),
        (("alembic.ini", "pyproject.toml"), {}, "alembic.ini"),
        (("pyproject.toml",), {}, "pyproject.toml"),
        (("pyproject.toml",), {"ALEMBIC_CONFIG": "db/alembic.ini"}, "db/alembic.ini"),
    ],
)
def test_the_configuration(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: tuple[str, ...],
    variables: dict[str, str],
    expected: str,
) -> None:
    """Relative paths start from the folder in which the command is called, as Alembic's do."""
    monkeypatch.chdir(tmp_path)
    for name in files:
        (tmp_path / name).write_text("[tool.alembic]\n")
    found = load({}, **variables).alembic_config
    assert found == AlembicConfig(Path(expected), working_folder=tmp_path)


def test_a_pyproject_of_another_tool_is_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence is to name alembic.ini then."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\n")
    assert load({}).alembic_config.file == Path("alembic.ini")


def test_a_working_folder_that_may_not_be_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading alembic.ini then says what is wrong."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0)
    with rights_of_the_files():
        assert load({}).alembic_config.file == Path("alembic.ini")
    tmp_path.chmod(0o755)


def test_a_working_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a release has been removed under a shell."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(ConfigurationError) as caught:
        load({})
    assert str(caught.value) == (
        "The working folder cannot be found: No such file or directory. Change to another folder."
    )


def test_every_variable_is_read() -> None:
    """A variable in the table that nothing reads would be a promise that is not kept."""
    sources = Path(load_settings.__code__.co_filename).read_text()
    _, code = sources.split("\nURL = ")
    own = [name for name in VARIABLES if name.startswith("ALEMBIC_BOOT_")]
    own.remove(pytest_plugin._URL)
    read = set(re.findall(r'(?:{PREFIX}|name\(")([A-Z_]+)"', code))
    assert {it.removeprefix("ALEMBIC_BOOT_") for it in own} == read
