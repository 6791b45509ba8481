"""A child process reads a long history ahead: what it read is right, or is not used at all."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from alembic_boot.description import AlembicConfig
from alembic_boot.history import ahead
from alembic_boot.history.ahead import read_ahead, reading_ahead
from alembic_boot.history.headers import read_file
from alembic_boot.signals import Stopped, stopping_on_signals
from tests.rights import rights_of_the_files
from tests.waiting import wait_until


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AlembicConfig:
    """Give a project with a history that counts as long."""
    monkeypatch.setattr(ahead, "_LONG", 3)
    versions = tmp_path / "scripts" / "versions"
    versions.mkdir(parents=True)
    for number in range(1, 4):
        text = f'"""Step {number}."""\nrevision = "r{number}"\ndown_revision = "r{number - 1}"\n'
        (versions / f"r{number}.py").write_text(text)
    (versions / "computed.py").write_text('revision = "".join("r4")\ndown_revision = "r3"\n')
    (versions / "notes.txt").write_text("no revision")
    ini = tmp_path / "alembic.ini"
    ini.write_text("[alembic]\nscript_location = %(here)s/scripts\n")
    return AlembicConfig(ini)


Children = Callable[[], int]


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process pass for one with a single thread, whatever other tests have left."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Children:
    """Give what counts the processes that were forked, and fails if one of them is left."""
    forked: list[int] = []
    fork = os.fork

    def noting() -> int:
        pid = fork()
        forked.append(pid)
        return pid

    def count() -> int:
        for pid in forked:
            with pytest.raises(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return len(forked)

    monkeypatch.setattr(os, "fork", noting)
    return count


@pytest.mark.usefixtures("_alone")
def test_what_was_read(theirs: AlembicConfig, children: Children) -> None:
    """It is what this process would read; a file whose header is computed is none of it."""
    with reading_ahead(theirs):
        found = read_ahead()
        assert children() == 1
    versions = theirs.file.parent / "scripts" / "versions"
    paths = [str(versions / f"r{number}.py") for number in range(1, 4)]
    assert dict(found) == {path: read_file(path) for path in paths}


@pytest.mark.usefixtures("_alone")
def test_only_the_first_who_asks_gets_it(theirs: AlembicConfig) -> None:
    """Later in the same process a file may have been edited."""
    with reading_ahead(theirs):
        assert read_ahead()
        assert not read_ahead()
    assert not read_ahead()


@pytest.mark.usefixtures("_alone")
def test_an_old_answer(
    theirs: AlembicConfig, monkeypatch: pytest.MonkeyPatch, children: Children
) -> None:
    """After a long wait for the database the files are read again."""
    with reading_ahead(theirs):
        monkeypatch.setattr(ahead, "_FRESH", 0.0)
        assert not read_ahead()
        assert children() == 1


@pytest.mark.usefixtures("_alone")
def test_nobody_asks(theirs: AlembicConfig, children: Children) -> None:
    """The child is gone at the end of the block, and so is its answer."""
    with reading_ahead(theirs):
        pass
    assert children() == 1
    assert not read_ahead()


def _killed(_path: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raising(path: str) -> None:
    raise PermissionError(path)


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("reading", [_killed, _raising])
def test_a_child_that_dies(
    theirs: AlembicConfig,
    monkeypatch: pytest.MonkeyPatch,
    reading: Callable[[str], None],
    children: Children,
) -> None:
    """Nothing was read ahead then, and nothing is wrong: this process reads the files itself."""
    monkeypatch.setattr(ahead, "read_file", reading)
    with reading_ahead(theirs):
        assert not read_ahead()
        assert children() == 1


@pytest.mark.usefixtures("_alone")
def test_a_stop_signal(theirs: AlembicConfig, children: Children) -> None:
    """A stop ends the child, too."""
    with pytest.raises(Stopped), stopping_on_signals(), reading_ahead(theirs):
        os.kill(os.getpid(), signal.SIGTERM)
        # In short sleeps: another thread may get the signal, which ends no sleep of this one.
        wait_until(lambda: False)
    assert children() == 1


@pytest.mark.parametrize(
    "ini",
    [
        "[alembic]\n",
        "[other]\nscript_location = scripts\n",
        "[alembic]\nscript_location = %(nowhere)s/scripts\n",
        "[alembic]\nscript_location = elsewhere\n",
        "[alembic]\nscript_location = package:scripts\n",
        "script_location = scripts\n",
    ],
)
def test_a_configuration_that_tells_no_folder(
    theirs: AlembicConfig, ini: str, children: Children
) -> None:
    """Nothing is read ahead; Alembic says what is wrong, if something is."""
    theirs.file.write_text(ini)
    with reading_ahead(theirs):
        assert children() == 0


def test_a_missing_file(tmp_path: Path, children: Children) -> None:
    """The same is true of a configuration that does not exist."""
    with reading_ahead(AlembicConfig(tmp_path / "alembic.ini")):
        assert children() == 0


@pytest.mark.parametrize("mode", [0, 0o111])
def test_a_folder_that_cannot_be_read(theirs: AlembicConfig, children: Children, mode: int) -> None:
    """Alembic reads the folder soon, and reports the fault."""
    versions = theirs.file.parent / "scripts" / "versions"
    versions.chmod(mode)
    with rights_of_the_files(), reading_ahead(theirs):
        assert children() == 0
    versions.chmod(0o755)


def test_a_short_history(
    theirs: AlembicConfig, monkeypatch: pytest.MonkeyPatch, children: Children
) -> None:
    """A process for a few files would cost more than it saves."""
    monkeypatch.setattr(ahead, "_LONG", 5)
    with reading_ahead(theirs):
        assert children() == 0


@pytest.mark.usefixtures("_alone")
def test_no_more_processes(theirs: AlembicConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system allows no child, this process reads the files as without one."""

    def refuse() -> int:
        raise BlockingIOError

    descriptors = len(list(Path("/dev/fd").iterdir()))
    monkeypatch.setattr(os, "fork", refuse)
    with reading_ahead(theirs):
        assert not read_ahead()
    assert len(list(Path("/dev/fd").iterdir())) == descriptors


def test_several_threads(theirs: AlembicConfig, children: Children) -> None:
    """A child of a process with several threads may never end."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with reading_ahead(theirs):
            assert children() == 0
    finally:
        done.set()
        thread.join()


def test_children_that_nobody_waits_for(theirs: AlembicConfig, children: Children) -> None:
    """If SIGCHLD is ignored, the id of a child that has ended may be another process's."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with reading_ahead(theirs):
            assert children() == 0
    finally:
        signal.signal(signal.SIGCHLD, before)


_KILLED = """
import os, pathlib, signal, sys
from alembic_boot.description import AlembicConfig
from alembic_boot.history import ahead

ahead._LONG = 1
with ahead.reading_ahead(AlembicConfig(pathlib.Path(sys.argv[1]))):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_parent_that_is_killed(theirs: AlembicConfig) -> None:
    """The child ends too, and holds nothing that the parent had open, as a port or a pipe."""
    versions = theirs.file.parent / "scripts" / "versions"
    for number in range(1000):  # more than a pipe has room for
        (versions / f"more{number}.py").write_text(
            f'revision = "{number:0200}"\ndown_revision = None\n'
        )
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(theirs.file)], stdout=subprocess.PIPE
    ) as parent:
        # It ends when nobody has the other side of the pipe any more.
        assert parent.communicate(timeout=60)[0] == b""
    assert parent.returncode == -signal.SIGKILL
