"""A real PostgreSQL server on TCP for tests: of the embedded package's binaries or of Debian's."""

import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from alembic_boot.postgres.embedded import import_package

SUPERUSER = "postgres"
OWNER = "moriai_user"
PASSWORD = "moriai_password"

DEBIAN = {15: Path("/usr/lib/postgresql/15/bin")}
"""The versions that come from Debian's packages, and where these put the binaries."""

DEBIAN_USER = "postgres"
"""The user that Debian's servers run as where the tests are root's."""

# Rights that tests rely on: the owner needs a password over TCP, the superuser none.
_HBA = f"""
local   all  {SUPERUSER}                 trust
host    all  {SUPERUSER}  127.0.0.1/32   trust
host    replication  {SUPERUSER}  127.0.0.1/32  trust
hostssl all  tls_only     127.0.0.1/32   scram-sha-256
host    all  tls_only     127.0.0.1/32   reject
host    all  not_listed   127.0.0.1/32   reject
host    all  all          127.0.0.1/32   scram-sha-256
"""

# Durability is not what these tests are about; speed is.
_CONF = """
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 60
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
lc_messages = 'C'
"""


def free_port() -> int:
    """Return a TCP port of the loopback that nothing listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Cluster:
    """One server: its folder, version, port, and what it takes to start and stop it."""

    folder: Path
    version: int
    port: int = field(default_factory=free_port)

    def create(self) -> None:
        """Initialise the data folder and write the configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.version in DEBIAN:
            self._prepare_debian()
            self._run("initdb", "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        else:
            self._initialise_embedded()
        self._configure()

    def create_standby(self, primary: "Cluster") -> None:
        """Make this one of Debian's servers the standby of another, which runs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prepare_debian()
        source = f"host=127.0.0.1 port={primary.port} user={SUPERUSER}"
        self._run("pg_basebackup", "-d", source, "-R", "-c", "fast", "-X", "stream")
        with (self.folder / "postgresql.auto.conf").open("a") as file:
            file.write(f"port = {self.port}\n")

    def promote(self) -> None:
        """Make a standby take writes, and return when it does."""
        self.pg_ctl("promote")

    def stop_replication(self, standby: "Cluster") -> None:
        """Go on without a standby, which gets nothing any more."""
        self.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        self.execute("SELECT pg_reload_conf()")
        standby.execute("ALTER SYSTEM SET primary_conninfo = ''")
        standby.execute("SELECT pg_reload_conf()")
        while self.query("SELECT 1 FROM pg_stat_replication"):
            time.sleep(0.01)

    def _configure(self) -> None:
        (self.folder / "postgresql.auto.conf").write_text(
            _CONF + self._quick_logins() + f"port = {self.port}\n"
        )
        (self.folder / "pg_hba.conf").write_text(_HBA)

    def _initialise_embedded(self) -> None:
        server = import_package().get_server(
            self.folder, cleanup_mode=None, start=False, postgres_version=self.version
        )
        server.ensure_pgdata_inited()
        self._bin = Path(server.bin_path)
        self._user = server.system_user

    def _prepare_debian(self) -> None:
        self._bin = DEBIAN[self.version]
        self._user = DEBIAN_USER if os.geteuid() == 0 else None
        if self._user is not None:
            self.folder.parent.chmod(0o755)  # a temporary folder is closed to other users
            shutil.chown(self.folder, self._user, self._user)
        self.folder.chmod(0o700)

    def _quick_logins(self) -> str:
        """A password is hashed 4096 times at each login, which is half of what a login takes."""
        return "scram_iterations = 1\n" if self.version >= 16 else ""

    def pg_ctl(self, *arguments: str) -> None:
        """Run pg_ctl on this folder, as the user that owns it."""
        self._run("pg_ctl", "-w", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), "-D", str(self.folder), *arguments]
        if self._user is not None and os.geteuid() == 0:
            command = ["su", self._user, "-c", shlex.join(command)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.pg_ctl("start", "-l", str(self.folder / "server.log"))

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped since."""
        return (self.folder / "postmaster.pid").exists()

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server (smart, fast or immediate) and wait until it is gone."""
        self.pg_ctl("stop", "-m", mode)

    def connect(self, database: str = "postgres") -> Connection:
        """Return an autocommit connection of the superuser."""
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=SUPERUSER, dbname=database
        )
        connection.autocommit = True
        return connection

    def program(self, name: str) -> str:
        """Return the path of one of the server's own programs."""
        return str(self._bin / name)

    def execute(self, statement: str | sql.Composable, database: str = "postgres") -> None:
        """Run one statement as the superuser, outside a transaction."""
        connection = self.connect(database)
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def query(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Return the rows of a query made as the superuser."""
        connection = self.connect(database)
        try:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())
        finally:
            connection.close()

    def url(
        self,
        database: str,
        user: str = OWNER,
        password: str = PASSWORD,
        port: int | None = None,
    ) -> str:
        """Return the URL by which the application's owner logs in over TCP.

        `port` is that of what stands in front of the server, if anything does.
        """
        return f"postgresql://{user}:{password}@127.0.0.1:{port or self.port}/{database}"

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Make a database owned by the application's role; drop it at the end.

        It stays where the test has stopped the server: nobody will miss it.
        """
        name = f"test_{uuid4().hex[:12]}"
        self.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template)
            )
        )
        try:
            yield name
        finally:
            if self.is_running:
                self.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )

    @contextmanager
    def scratch_database(self) -> Iterator[str]:
        """Make a database that is marked as one for SCRATCH_DATABASE_URL."""
        with self.database() as name:
            self.execute("CREATE SCHEMA boot_scratch", name)
            yield name


@contextmanager
def running_cluster(folder: Path, version: int) -> Iterator[Cluster]:
    """Initialise, start and finally stop a server with the application's role in it."""
    cluster = Cluster(folder, version)
    cluster.create()
    cluster.start()
    try:
        cluster.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                sql.Identifier(OWNER), sql.Literal(PASSWORD)
            )
        )
        yield cluster
    finally:
        if cluster.is_running:
            cluster.stop()


@contextmanager
def running_pair(folder: Path) -> Iterator[tuple[Cluster, Cluster]]:
    """Give a primary of Debian's with the application's role, and its standby.

    A commit returns when the standby has it, so that a failover loses none.
    """
    with running_cluster(folder / "one", 15) as primary:
        # Else a server that is stopped at once has lost what it had just committed.
        primary.execute("ALTER SYSTEM SET synchronous_commit = 'remote_apply'")
        standby = Cluster(folder / "two", 15)
        standby.create_standby(primary)
        standby.start()
        try:
            primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.execute("SELECT pg_reload_conf()")
            while primary.query("SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
                time.sleep(0.01)
            yield primary, standby
        finally:
            if standby.is_running:
                standby.stop()
