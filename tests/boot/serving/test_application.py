"""An application's module is looked for before anything moves, and nothing of it is imported."""

import sys
from pathlib import Path

import pytest

from alembic_boot.errors import ServingFailedError
from alembic_boot.output.foreign import missing_package
from alembic_boot.serving.application import require_application

FAILS = "raise RuntimeError('imported')"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of modules, each of which fails when it is imported."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "planted.py").write_text(FAILS)
    (tmp_path / "package" / "inner").mkdir(parents=True)
    (tmp_path / "package" / "__init__.py").write_text(FAILS)
    (tmp_path / "package" / "inner" / "__init__.py").write_text(FAILS)
    (tmp_path / "package" / "inner" / "main.py").write_text(FAILS)
    (tmp_path / "bare" / "inner").mkdir(parents=True)
    (tmp_path / "bare" / "inner" / "main.py").write_text(FAILS)
    (tmp_path / "spread").mkdir()
    (tmp_path / "spread" / "__init__.py").write_text(
        "__path__ = __import__('pkgutil').extend_path(__path__, __name__)"
    )
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "planted:app",
        "planted:nothing.of.it",
        "package:app",
        "package.inner.main:app",
        "bare.inner.main:app",
        "spread.over.folders:app",
        "os.path:app",
        "backend.main:app",
    ],
)
def test_what_is_there(modules: Path, name: str) -> None:
    """Packages with an `__init__.py` and without; one that alone knows where its modules are."""
    before = set(sys.modules)
    require_application(name)
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("package.nope:app", "there is no module package.nope."),
        ("package.inner.nope:app", "there is no module package.inner.nope."),
        ("bare.nope:app", "there is no module bare.nope."),
        ("planted.nope:app", "there is no module planted.nope."),
        ("package..inner:app", "it is not written as module:attribute."),
        (".planted:app", "it is not written as module:attribute."),
        ("backend.nope:app", "there is no module backend.nope."),
        ("planted", "it is not written as module:attribute."),
        ("planted:", "it is not written as module:attribute."),
        (":app", "it is not written as module:attribute."),
    ],
)
def test_what_is_not_there(modules: Path, name: str, cause: str) -> None:
    """It is one sentence, which says what is to be fixed."""
    before = set(sys.modules)
    with pytest.raises(ServingFailedError) as failure:
        require_application(name)
    assert str(failure.value) == (
        f"The application {name} cannot be loaded: {cause} Fix it, or name another in ASGI_APP."
    )
    assert set(sys.modules) == before


@pytest.mark.parametrize("name", ["nope:app", "nope.main:app"])
def test_a_package_that_is_nowhere(name: str) -> None:
    """As in a src layout without PYTHONPATH: an env.py that imports it says the same."""
    with pytest.raises(ServingFailedError) as failure:
        require_application(name)
    error = ModuleNotFoundError("No module named 'nope'", name="nope")
    of_env_py = missing_package(error)
    assert of_env_py is not None
    same = of_env_py.advice.replace("prepend_sys_path or ", "")
    assert failure.value.advice == f"{same} Else fix it, or name another in ASGI_APP."
    assert "let PYTHONPATH lead to the folder above it." in failure.value.advice
