"""Debian's PgBouncer on the loopback in front of a server of the tests."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from tests.cluster import DEBIAN_USER, OWNER, PASSWORD, free_port

PGBOUNCER = Path("/usr/sbin/pgbouncer")

_DEADLINE = 60.0
"""Seconds after which it will not answer any more: generous, never measured."""


@contextmanager
def running_pgbouncer(
    folder: Path, server_port: int, only: str = "*", **options: str | int
) -> Iterator[int]:
    """Run PgBouncer, which pools transactions unless `options` say otherwise; give its port.

    It knows every database of the server, or the one that `only` names.

    Whoever logs in, with whatever password, is the application's owner to the server, and an
    administrator on the console, the database `pgbouncer`. The configuration and the log are in
    `folder`, which is made.
    """
    folder.mkdir(parents=True)
    port = free_port()
    settings: dict[str, str | int] = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "transaction",
        **options,
    }
    server = f"host=127.0.0.1 port={server_port} user={OWNER} password={PASSWORD}"
    lines = ["[databases]", f"{only} = {server}", "[pgbouncer]"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    configuration = folder / "pgbouncer.ini"
    configuration.write_text("\n".join([*lines, ""]))
    configuration.chmod(0o644)
    log = folder / "pgbouncer.log"
    user = DEBIAN_USER if os.geteuid() == 0 else None  # it refuses to run as root
    with configuration.open() as stdin, log.open("w") as output:
        process = subprocess.Popen(
            # By this name it can be opened although a test's folder is closed to other users.
            [PGBOUNCER, "/dev/stdin"],
            stdin=stdin,
            stdout=output,
            stderr=output,
            cwd="/",
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    with process:
        try:
            _wait_until_it_answers(process, port, log)
            yield port
        finally:
            process.kill()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Log in to its own console, which asks nothing of the server behind it."""
    deadline = time.monotonic() + _DEADLINE
    while True:
        try:
            psycopg2.connect(host="127.0.0.1", port=port, user=OWNER, dbname="pgbouncer").close()
        except psycopg2.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.01)
        else:
            return
