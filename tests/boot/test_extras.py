"""A package of an extra may be absent: one sentence says so, or the tool does without it."""

import sys
from collections.abc import Callable
from functools import partial
from importlib import metadata, util
from io import StringIO

import pytest

from alembic_boot import extras
from alembic_boot.errors import ConfigurationError
from alembic_boot.output import progress
from alembic_boot.output.log import configure_logging, report_failure
from tests.waiting import wait_until


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that makes a package look as if it were not installed."""

    def hide(package: str) -> None:
        monkeypatch.setattr(
            extras, "find_spec", lambda name: None if name == package else util.find_spec(name)
        )

    return hide


@pytest.mark.parametrize(
    ("require", "package", "extra"),
    [
        (extras.require_psycopg2, "psycopg2", "binary"),
        (partial(extras.require_server, reload=False), "uvicorn", "serve"),
        (partial(extras.require_server, reload=True), "watchfiles", "serve"),
        (partial(configure_logging, "info", "json", "stdout"), "pythonjsonlogger", "json"),
    ],
)
def test_what_is_absent_is_named_with_its_extra(
    absent: Callable[[str], None], require: Callable[[], None], package: str, extra: str
) -> None:
    absent(package)
    with pytest.raises(ConfigurationError) as caught:
        require()
    assert f"needs the package {package}, which is not installed" in caught.value.what
    assert caught.value.advice.endswith(f'pip install "alembic-boot[{extra}]".')


def test_a_server_without_reload_needs_no_watchfiles(absent: Callable[[str], None]) -> None:
    absent("watchfiles")
    extras.require_server(reload=False)


def test_an_old_uvicorn_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", {"uvicorn": "0.34.0"}.__getitem__)
    with pytest.raises(ConfigurationError, match=r"needs uvicorn 0\.50 or newer; 0\.34\.0 is"):
        extras.require_server(reload=False)


@pytest.mark.parametrize("version", ["0.60rc1", "0.50.0", "1.0", "1"])
def test_other_versions_are_not(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(metadata, "version", {"uvicorn": version}.__getitem__)
    extras.require_server(reload=False)


def test_a_driver_without_its_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is there, and libpq.so is not: its import raises ImportError."""
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    monkeypatch.setattr(extras, "find_spec", lambda _: True)
    with pytest.raises(ConfigurationError, match="psycopg2 is installed, and cannot be loaded"):
        extras.require_psycopg2()


def test_a_failure_is_said_without_json(
    absent: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    absent("pythonjsonlogger")
    report_failure("It failed.", "json")
    assert capsys.readouterr().err == "It failed.\n"


@pytest.mark.slow
def test_a_terminal_without_rich_has_lines(
    absent: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent("rich")
    terminal = StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    said: list[str] = []
    with progress.step_by_step(2, lambda *it: said.append(it[2]), after=0) as begin:
        begin("001 Users")
        wait_until(lambda: said == ["001 Users"])
    assert terminal.getvalue() == ""
