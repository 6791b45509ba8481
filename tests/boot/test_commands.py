"""The commands that sentences advise: tried as a shell finds them, in each way to start a task."""

import sys
from collections.abc import Iterator
from inspect import signature
from pathlib import Path

import pytest

from alembic_boot.commands import (
    OUTSIDE,
    WITH_IN,
    Program,
    as_typed,
    creating,
    program,
    setting,
    use,
)
from alembic_boot.errors import (
    BootError,
    LockTimeoutError,
    MigrationFailedError,
    SchemaPastError,
    SchemaUnmanagedError,
)
from tasks import ns

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in the project's folder, with no environment activated."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PWD", str(ROOT))
    monkeypatch.delenv(OUTSIDE, raising=False)


def test_a_program_on_the_path_goes_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the image, and where .venv is activated, `inv` is this environment's."""
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    assert as_typed("adopt --dry-run") == "inv adopt --dry-run"
    assert as_typed("") == "inv"


def test_a_program_off_the_path_goes_by_its_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`make migrate` calls .venv/bin/inv, and the shell finds no `inv`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "inv").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    assert as_typed("adopt --dry-run") == "bin/inv adopt --dry-run"


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        (MigrationFailedError, "inv migrate"),
        (LockTimeoutError, "inv migrate"),
        (SchemaPastError, "inv rollback"),
        (SchemaUnmanagedError, "inv adopt --dry-run"),
    ],
)
def test_readiness_advises_what_the_log_does(
    monkeypatch: pytest.MonkeyPatch, kind: type[BootError], command: str
) -> None:
    """Who follows the advice types it in the same place."""
    monkeypatch.setenv(OUTSIDE, ".venv/bin/inv {} --in backend")
    typed = command.replace("inv", ".venv/bin/inv", 1)
    assert f"`{typed} --in backend`" in kind("It failed.", "Mend it.").public


def test_another_folder_gets_the_whole_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """`inv` finds tasks.py from any folder below; the path has to work there, too."""
    monkeypatch.setenv("PWD", str(ROOT / "backend"))
    assert as_typed("status") == f"{BIN / 'inv'} status"


def test_somebody_elses_program_is_not_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another environment's `inv` on the PATH lacks what ours has installed."""
    other = tmp_path / "inv"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PWD", "/")
    assert as_typed("status") == f"{BIN / 'inv'} status"


def test_a_path_that_a_shell_would_split_is_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder's name may have a space."""
    folder = tmp_path / "my project"
    folder.mkdir()
    (folder / "inv").touch()
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    assert as_typed("status") == f"'{folder}/inv' status"


def test_a_program_that_is_not_installed_here_goes_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing better is known of it."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert as_typed("status") == "inv status"


def test_inside_a_container_the_command_of_outside_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What `inv migrate --in backend` advises is typed outside as well."""
    monkeypatch.setenv(OUTSIDE, ".venv/bin/inv {} --in backend")
    assert as_typed("adopt --dry-run") == ".venv/bin/inv adopt --dry-run --in backend"


@pytest.mark.parametrize("task", sorted(WITH_IN))
def test_tasks_that_run_inside_have_the_flag(task: str) -> None:
    """The set is held against the tasks."""
    assert "in_" in signature(ns[task].body).parameters


def test_a_task_that_runs_nowhere_else_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """`inv revision` has no --in."""
    monkeypatch.setenv(OUTSIDE, ".venv/bin/inv {} --in backend")
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    assert as_typed("revision --message more") == "inv revision --message more"


class TestAlembicBoot:
    """The names of the program that other projects type."""

    @pytest.fixture(autouse=True)
    def as_alembic_boot(self) -> Iterator[None]:
        ours = program()
        use(Program(options=("-c", "my project/alembic.ini", "-x", "tenant=a")))
        yield
        use(ours)

    def test_advice_repeats_the_options(self) -> None:
        """Without them the command would work on another project."""
        expected = "alembic-boot -c 'my project/alembic.ini' -x tenant=a adopt --dry-run"
        assert as_typed("adopt --dry-run").endswith(expected)

    def test_a_public_text_has_no_options(self) -> None:
        """Clients read it, and a file's name is none of their business."""
        assert "tenant" not in MigrationFailedError("It failed.", "Mend it.").public

    def test_settings_have_names_of_their_own(self) -> None:
        """MIGRATION_TARGET means nothing to this program."""
        assert setting("TARGET") == "ALEMBIC_BOOT_TARGET"
        assert "ALEMBIC_BOOT_TARGET" in SchemaPastError("It is.", "Do.").public
        assert creating() == "ALEMBIC_BOOT_CREATE_DATABASE=true creates it"


def test_settings_of_the_tasks_keep_their_names() -> None:
    """MoriAI's variables are older than those of alembic-boot."""
    assert setting("TARGET") == "MIGRATION_TARGET"
    assert "MIGRATION_TARGET" in SchemaPastError("It is.", "Do.").public
