"""The pytest plugin: a migrated database for each test, and the check of the history as a test.

Once a session a template database is migrated; each test gets a clone of it. The processes of
pytest-xdist share one template. All databases are dropped at the end; those of a killed run are
dropped by the next run.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alembic_boot.errors import BootError

if TYPE_CHECKING:
    from alembic_boot import AlembicConfig
    from alembic_boot.migration.cloning import Template

_URL = "ALEMBIC_BOOT_TEST_DATABASE_URL"
_NAME = "ALEMBIC_BOOT_NAME"
_LOG_LEVEL = "ALEMBIC_BOOT_LOG_LEVEL"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.getgroup("alembic-boot").addoption(
        "--alembic-boot-check",
        action="store_true",
        help="check the migrations as a test: up, down, up, and equal to the models",
    )
    parser.addini(
        "alembic_boot_config",
        "the Alembic project: a file, or its folder, from the rootdir of pytest",
        default=".",
    )
    parser.addini(
        "alembic_boot_name",
        f"the section of alembic.ini ({_NAME} goes before it)",
        default="alembic",
    )
    parser.addini(
        "alembic_boot_url",
        f"a database on the server for tests (default: {_URL}, else DATABASE_URL); it is only read",
        default="",
    )


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add the check, if it is asked for."""
    if session.config.getoption("--alembic-boot-check"):
        items.append(_Check.from_parent(session, name="alembic-boot check"))


@pytest.fixture(scope="session")
def alembic_boot_template(request: pytest.FixtureRequest) -> Iterator["Template"]:
    """Give the migrated database of this session, which is only cloned."""
    from alembic_boot import describe
    from alembic_boot.migration.cloning import template

    # The processes of pytest-xdist have this in common.
    run = getattr(request.config, "workerinput", {}).get("testrunuid") or os.urandom(8).hex()
    failure = ""
    try:
        with template(describe(*_project(request.config)), run) as found:
            yield found
    except BootError as error:
        failure = str(error)
    if failure:  # not in the handler, because pytest would show the causes, too
        pytest.fail(failure, pytrace=False)


@pytest.fixture
def alembic_boot_database(alembic_boot_template: "Template") -> Iterator[str]:
    """Give the URL, for SQLAlchemy, of a migrated database that this test has for itself."""
    with alembic_boot_template.clone() as url:
        yield url


def _project(config: pytest.Config) -> tuple["AlembicConfig", str]:
    """Return the project and the URL of the server. Fails the test if there is no URL.

    Raises ConfigurationError if there is no project.
    """
    from alembic_boot import AlembicConfig
    from alembic_boot.settings import find_config

    url = (
        os.environ.get(_URL) or config.getini("alembic_boot_url") or os.environ.get("DATABASE_URL")
    )
    if not url:
        pytest.fail(
            f"No server for tests: set {_URL}, the ini option alembic_boot_url, or DATABASE_URL. "
            "The URL of env.py is not used.",
            pytrace=False,
        )
    root = config.rootpath
    file = root / config.getini("alembic_boot_config")
    name = os.environ.get(_NAME) or config.getini("alembic_boot_name")
    is_folder = os.path.isdir(file)  # noqa: PTH112 (Path's raises below a folder that is closed)
    file = find_config(file) if is_folder else file
    return AlembicConfig(file, name, working_folder=root), str(url)


class _CheckFailedError(Exception):
    """The faults that the check has found, one a line; or the reason why it is impossible."""


class _Check(pytest.Item):
    """The check of the history as a test."""

    def runtest(self) -> None:
        """Check the history, in a process of its own: env.py imports modules of the application.

        Raises _CheckFailedError.
        """
        from alembic_boot.migration.filling import import_paths
        from alembic_boot.output.masking import mask

        project, url = _project(self.config)
        options = ("-c", str(project.file), "-n", project.name, "check", "--format", "json")
        environ = {**os.environ, **import_paths(), "DATABASE_URL": url, _LOG_LEVEL: "error"}
        environ.pop("MIGRATION_DATABASE_URL", None)
        finished = subprocess.run(  # noqa: S603 (no part of it comes from outside)
            (sys.executable, "-P", "-m", "alembic_boot", *options),
            cwd=self.config.rootpath,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode:
            found = json.loads(finished.stdout)["findings"] if finished.stdout else ()
            faults = "\n".join(it["text"] for it in found)
            raise _CheckFailedError(faults or mask(finished.stderr.strip()))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the sentences alone: a traceback of this tool says nothing more."""
        if isinstance(excinfo.value, _CheckFailedError | BootError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return the project and the title."""
        return self.config.rootpath, None, self.name
