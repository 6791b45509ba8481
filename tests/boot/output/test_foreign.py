"""What somebody's own code raises, in words, with the place in that code."""

import asyncio
import os
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from alembic_boot.output.foreign import describe, is_own_code, missing_package, plugin_failure
from tests.scenarios.process import matches


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class RefusedError(ValueError):
    """As pydantic raises it: the first line says next to nothing."""

    def __str__(self) -> str:
        return "2 validation errors for Settings\ndatabase_url\n  Field required [input_value='pw']"

    def errors(self) -> list[dict[str, object]]:
        return [
            {"loc": ("database_url",), "msg": "Field required", "input": "s3cret"},
            {"loc": ("ports", 1), "msg": "Input should be a valid integer"},
        ]


class OtherError(ValueError):
    errors = "not what pydantic has"


class NamedError(KeyError):
    def __str__(self) -> str:
        return "no such stage"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("no kettle"), "RuntimeError: no kettle"),
        (RuntimeError("no kettle."), "RuntimeError: no kettle"),
        (RuntimeError("\n  no kettle\nmore"), "RuntimeError: no kettle"),
        (
            RuntimeError("Missing:\n  a kettle\n"),
            "RuntimeError: Missing: a kettle",
        ),
        (RuntimeError("These are missing:"), "RuntimeError: These are missing:"),
        (RuntimeError(), "RuntimeError"),
        (AssertionError(), "AssertionError"),
        (KeyError("X"), "KeyError: there is no 'X'"),
        (KeyError(3), "KeyError: there is no 3"),
        (KeyError(), "KeyError"),
        (NamedError("X"), "NamedError: no such stage"),
        (SystemExit(), "SystemExit"),
        (SystemExit(3), "SystemExit: 3"),
        (SystemExit("no kettle"), "SystemExit: no kettle"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (asyncio.CancelledError(), "CancelledError"),
        (
            UnspeakableError(),
            "UnspeakableError: its text cannot be shown, for that raises RuntimeError",
        ),
        (OtherError("no"), "OtherError: no"),
        (RuntimeError("x" * 9000), "RuntimeError: " + "x" * 500 + "…"),
        (ExceptionGroup("several", [ValueError("a")]), "ValueError: a"),
        (
            ExceptionGroup("several", [ExceptionGroup("", [KeyError("a")]), ValueError("b")]),
            "KeyError: there is no 'a' (and 1 more)",
        ),
        (
            RefusedError(),
            "RefusedError: 2 validation errors for Settings: database_url (Field required), "
            "ports.1 (Input should be a valid integer)",
        ),
    ],
)
def test_the_words(error: BaseException, expected: str) -> None:
    """One line says what it is, also if the exception itself says little."""
    assert describe(error) == expected


def test_a_text_that_says_it_all() -> None:
    """The kind of such an exception adds nothing."""
    assert describe(RuntimeError("no kettle"), plain=(RuntimeError,)) == "no kettle"
    assert describe(RuntimeError(), plain=(RuntimeError,)) == "RuntimeError"


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`os.environ[…]` raises a KeyError like any other dictionary."""
    monkeypatch.delenv("KETTLE", raising=False)
    with pytest.raises(KeyError) as caught:
        os.environ["KETTLE"]
    assert describe(caught.value).endswith("KeyError: the environment variable KETTLE is not set")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., BaseException]:
    """Give what imports a file and returns the exception that it raises."""

    def run(code: str, name: str = "code.py") -> BaseException:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
        spec = spec_from_file_location("planted", file)
        assert spec is not None
        assert spec.loader is not None
        try:
            spec.loader.exec_module(module_from_spec(spec))
        except BaseException as error:  # noqa: BLE001 (any kind is tried)
            return error
        raise AssertionError

    return run


IMPORTS_OTHER = "import sys\nsys.path.insert(0, {!r})\nimport other_of_tests\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("\n\nraise RuntimeError('no kettle')", "code.py, line 3: RuntimeError: no kettle"),
        ("def f():\n    raise RuntimeError\nf()", "code.py, line 2: RuntimeError"),
        ("import json\njson.loads('{')", "code.py, line 2: JSONDecodeError: …"),
        (
            "import sqlalchemy\nsqlalchemy.make_url('x')",
            "code.py, line 2: ArgumentError: …",
        ),
        ("def broken(:", "code.py, line 1: invalid syntax"),
        ("  x = 1", "code.py, line 1: unexpected indent"),
        ("compile('a b', '<text>', 'exec')", "code.py, line 1: invalid syntax"),
        ("def f(): f()\nf()", "code.py, line 1: RecursionError: maximum recursion depth exceeded…"),
        (
            "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise RuntimeError('b') from e",
            "code.py, line 4: RuntimeError: b",
        ),
        (
            "def f():\n    raise ValueError('a')\ntry:\n    f()\nexcept ValueError as e:\n"
            "    raise ExceptionGroup('several', [e])",
            "code.py, line 2: ValueError: a",
        ),
        ("raise KeyboardInterrupt", "code.py, line 1: KeyboardInterrupt"),
    ],
)
def test_the_place(
    run: Callable[..., BaseException], tmp_path: Path, code: str, expected: str
) -> None:
    """It is the last line of the project's own code: not of a library's, nor of Python's."""
    said = describe(run(code), [tmp_path])
    begin, _, end = expected.partition("…")
    assert said.startswith(begin)
    assert end or "…" in expected or said == expected


def test_the_place_in_another_file(run: Callable[..., BaseException], tmp_path: Path) -> None:
    """A path is shown from the nearest folder on, so that it can be found."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "other_of_tests.py").write_text("x = 1\nraise RuntimeError('no')\n")
    before = sys.path[:]
    try:
        error = run(IMPORTS_OTHER.format(str(tmp_path / "app")), "versions/a1.py")
    finally:
        sys.path[:] = before
    place = "app/other_of_tests.py, line 2"
    assert describe(error, [tmp_path / "versions", tmp_path]) == f"{place}: RuntimeError: no"
    assert describe(error) == f"{tmp_path}/{place}: RuntimeError: no"


def test_a_project_that_is_installed(run: Callable[..., BaseException], tmp_path: Path) -> None:
    """Its revisions lie beside libraries, and are its own code all the same."""
    name = "site-packages/theirs/versions/a1.py"
    error = run("raise RuntimeError('no')", name)
    folder = (tmp_path / name).parent
    assert describe(error, [folder]) == "a1.py, line 1: RuntimeError: no"
    assert "a1.py" not in describe(error)


def test_a_missing_package(run: Callable[..., BaseException], tmp_path: Path) -> None:
    """It is named, with the file that needs it and the environment that lacks it."""
    failure = missing_package(run("\nimport no_such_package.part"), [tmp_path])
    assert failure is not None
    assert failure.exit_status == 2
    assert failure.what == (
        "code.py, line 2 needs the package no_such_package, which is not installed in this "
        "environment."
    )
    assert sys.prefix in failure.advice


def test_psycopg_for_a_url_without_a_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since SQLAlchemy 2.1 such a URL means psycopg."""
    monkeypatch.setattr("alembic_boot.output.foreign.find_spec", lambda _: None)
    monkeypatch.delitem(sys.modules, "psycopg", raising=False)
    of_sqlalchemy = {"__name__": "sqlalchemy.dialects.postgresql.psycopg"}
    code = "raise ModuleNotFoundError(name='psycopg')"
    with pytest.raises(ModuleNotFoundError) as caught:
        exec(code, of_sqlalchemy)
    failure = missing_package(caught.value)
    assert failure is not None
    assert "Write the URL as postgresql+psycopg2://…, or install psycopg" in failure.advice


@pytest.mark.parametrize(
    "code",
    [
        "import json.no_such_part",  # the package is there
        "from json import no_such_name",
        "raise ImportError('no kettle')",
        "raise RuntimeError('No module named x')",
    ],
)
def test_nothing_is_missing(run: Callable[..., BaseException], code: str) -> None:
    """A package that is there is not to be installed, whatever is wrong with an import."""
    assert missing_package(run(code)) is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "raise RuntimeError('no kettle')",
            "Alembic's plugin kettle (plugin_of_tests) cannot be loaded: …RuntimeError: no kettle. "
            "Fix or uninstall the package that brings the plugin.",
        ),
        ("import no_such_package", "…needs the package no_such_package, which …"),
    ],
)
def test_a_plugin_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, expected: str
) -> None:
    """Alembic loads what is installed as its plugin when it is imported itself, since 1.18."""
    plugins = pytest.importorskip("alembic.runtime.plugins")
    info = tmp_path / "kettle-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kettle\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[alembic.plugins]\nkettle = plugin_of_tests\n")
    (tmp_path / "plugin_of_tests.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(Exception, match=r"no kettle|no_such_package") as caught:
        plugins._setup()
    failure = plugin_failure(caught.value)
    assert failure is not None
    assert failure.exit_status == 2
    assert failure.__cause__ is caught.value
    assert matches(str(failure), expected)


def test_what_no_plugin_raised(run: Callable[..., BaseException]) -> None:
    """Any other failure is not blamed on one."""
    assert plugin_failure(run("raise RuntimeError")) is None


def test_whose_code_raised(run: Callable[..., BaseException]) -> None:
    """A name that leads nowhere was never found by the project's code."""
    assert is_own_code(run("import no_such_package"))
    try:
        __import__("no_such_package")
    except ImportError as error:
        assert is_own_code(error)  # this file is
    assert not is_own_code(ImportError("never raised"))
