"""What a failed login says, and whether waiting would help: texts of real servers and poolers."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from backend.boot.postgres.connection import connect, one_line
from backend.boot.postgres.refusal import Refusal, classify
from backend.boot.postgres.urls import parse_database_url
from tests.cluster import PASSWORD, Cluster, free_port

NOT_YET, LOGIN, MISSING = Refusal.NOT_YET, Refusal.LOGIN, Refusal.DATABASE_MISSING

AT = 'connection to server at "db" (10.0.0.7), port 5432 failed: '
LOCAL_6 = 'connection to server at "localhost" (::1), port 5432 failed: '
LOCAL_4 = 'connection to server at "localhost" (127.0.0.1), port 5432 failed: '
SOCKET = 'connection to server on socket "/run/pg/.s.PGSQL.5432" failed: '
REFUSED = (
    "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n"
)
WRONG = 'FATAL:  password authentication failed for user "moriai_user"\n'
NOT_LISTED = 'FATAL:  no pg_hba.conf entry for host "10.0.0.2", user "u", database "d", '


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        # the network, and libpq
        (AT + REFUSED, NOT_YET),
        (LOCAL_6 + REFUSED + LOCAL_4 + REFUSED, NOT_YET),
        (AT + "timeout expired\n", NOT_YET),
        (
            AT + "No route to host\n\tIs the server running on that host and accepting TCP/IP "
            "connections?\n",
            NOT_YET,
        ),
        (
            AT + "Network is unreachable\n\tIs the server running on that host and accepting "
            "TCP/IP connections?\n",
            NOT_YET,
        ),
        (
            SOCKET + "No such file or directory\n\tIs the server running locally and accepting "
            "connections on that socket?\n",
            NOT_YET,
        ),
        ('could not translate host name "db" to address: Name or service not known\n', NOT_YET),
        (
            'could not translate host name "db" to address: Temporary failure in name resolution\n',
            NOT_YET,
        ),
        (
            AT + "server closed the connection unexpectedly\n\tThis probably means the server "
            "terminated abnormally\n\tbefore or while processing the request.\n",
            NOT_YET,
        ),
        (AT + "SSL SYSCALL error: EOF detected\n", NOT_YET),
        (AT + "could not receive data from server: Connection reset by peer\n", NOT_YET),
        (AT + "session is read-only\n", NOT_YET),
        (AT + "server is in hot standby mode\n", NOT_YET),
        # a server that has no time yet
        (AT + "FATAL:  the database system is starting up\n", NOT_YET),
        (AT + "FATAL:  the database system is shutting down\n", NOT_YET),
        (AT + "FATAL:  the database system is in recovery mode\n", NOT_YET),
        (
            AT + "FATAL:  the database system is not yet accepting connections\nDETAIL:  "
            "Consistent recovery state has not been yet reached.\n",
            NOT_YET,
        ),
        (
            AT + "FATAL:  the database system is not accepting connections\nDETAIL:  Hot "
            "standby mode is disabled.\n",
            NOT_YET,
        ),
        (AT + "FATAL:  sorry, too many clients already\n", NOT_YET),
        (
            AT + "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER "
            "attribute\n",
            NOT_YET,
        ),
        (
            AT + "FATAL:  remaining connection slots are reserved for non-replication superuser "
            "connections\n",
            NOT_YET,
        ),
        (AT + 'FATAL:  too many connections for role "u"\n', NOT_YET),
        (AT + 'FATAL:  too many connections for database "d"\n', NOT_YET),
        (AT + 'FATAL:  database "d" is not currently accepting connections\n', NOT_YET),
        # a login that will never do
        (AT + WRONG, LOGIN),
        (AT + 'FATAL:  role "u" does not exist\n', LOGIN),
        (AT + 'FATAL:  role "u"x" does not exist\n', LOGIN),
        (AT + 'FATAL:  role "u" is not permitted to log in\n', LOGIN),
        (SOCKET + 'FATAL:  Peer authentication failed for user "u"\n', LOGIN),
        (AT + 'FATAL:  Ident authentication failed for user "u"\n', LOGIN),
        (AT + 'FATAL:  LDAP authentication failed for user "u"\n', LOGIN),
        (AT + 'FATAL:  certificate authentication failed for user "u"\n', LOGIN),
        (AT + "FATAL:  connection requires a valid client certificate\n", LOGIN),
        (AT + "fe_sendauth: no password supplied\n", LOGIN),
        (
            AT + 'FATAL:  permission denied for database "d"\nDETAIL:  User does not have '
            "CONNECT privilege.\n",
            LOGIN,
        ),
        (AT + NOT_LISTED + "no encryption\n", LOGIN),
        (
            AT + 'FATAL:  pg_hba.conf rejects connection for host "10.0.0.2", user "u", '
            'database "d", SSL encryption\n',
            LOGIN,
        ),
        (AT + "server does not support SSL, but SSL was required\n", LOGIN),
        (AT + "SSL error: certificate verify failed\n", LOGIN),
        (
            AT + 'root certificate file "/root/.postgresql/root.crt" does not exist\nEither '
            "provide the file, use the system's trusted roots with sslrootcert=system, or "
            "change sslmode to disable server certificate verification.\n",
            LOGIN,
        ),
        (
            AT + 'server certificate for "a" (and 1 other name) does not match host name "db"\n',
            LOGIN,
        ),
        (AT + 'could not load private key file "k": bad decrypt\n', LOGIN),
        (
            AT + 'private key file "k" has group or world access; file must have permissions '
            "u=rw (0600) or less if owned by the current user\n",
            LOGIN,
        ),
        (
            AT + 'authentication method requirement "md5" failed: server requested SASL '
            "authentication\n",
            LOGIN,
        ),
        (AT + "authentication method 13 not supported\n", LOGIN),
        (AT + "channel binding required, but SSL not in use\n", LOGIN),
        (
            AT + "channel binding is required, but server did not offer an authentication "
            "method that supports channel binding\n",
            LOGIN,
        ),
        ('invalid sslmode value: "always"\n', LOGIN),
        (AT + 'invalid integer value "x" for connection option "keepalives"\n', LOGIN),
        ('definition of service "s" not found\n', LOGIN),
        (AT + 'FATAL:  database "d" does not exist\n', MISSING),
        (AT + 'FATAL:  database "a "quoted" name" does not exist\n', MISSING),
        # several lines: the last cause counts, and an explanation is none
        (AT + WRONG + AT + WRONG, LOGIN),
        (AT + WRONG + AT + NOT_LISTED + "no encryption\n", LOGIN),
        (AT + NOT_LISTED + "SSL encryption\n" + AT + NOT_LISTED + "no encryption\n", LOGIN),
        (
            AT
            + 'FATAL:  database "d" does not exist\n'
            + AT
            + 'FATAL:  database "d" does not exist\n',
            MISSING,
        ),
        (LOCAL_6 + REFUSED + LOCAL_4 + WRONG, LOGIN),
        (LOCAL_6 + REFUSED + LOCAL_4 + 'FATAL:  database "d" does not exist\n', MISSING),
        (LOCAL_6 + "FATAL:  the database system is starting up\n" + LOCAL_4 + WRONG, LOGIN),
        (LOCAL_6 + WRONG + LOCAL_4 + REFUSED, NOT_YET),
        (AT + WRONG + 'password retrieved from file "/root/.pgpass"\n', LOGIN),
        (
            AT + 'FATAL:  database "d" does not exist\nDETAIL:  It seems to have just been '
            "dropped or renamed.\n",
            MISSING,
        ),
        # PgBouncer
        (AT + "FATAL:  no such database: d\n", MISSING),
        (AT + "ERROR:  no such user: u\n", LOGIN),
        (AT + "ERROR:  auth failed\n", LOGIN),
        (AT + "FATAL:  SASL authentication failed\n", LOGIN),
        (AT + "FATAL:  SSL required\n", LOGIN),
        (AT + "FATAL:  no more connections allowed (max_client_conn)\n", NOT_YET),
        (AT + "FATAL:  the database system is shutting down\n", NOT_YET),
        (AT + "FATAL:  query_wait_timeout\n", NOT_YET),
        (
            AT + "FATAL:  server login has been failing, try again later (server_login_retry)\n",
            NOT_YET,
        ),
        (
            AT + "FATAL:  server login has been failing, cached error: connect failed "
            "(server_login_retry)\n",
            NOT_YET,
        ),
        (AT + "FATAL:  pgbouncer cannot connect to server\n", NOT_YET),
        # what nobody knows
        ("", NOT_YET),
        ("\n", NOT_YET),
        ("no answer within 5 s", NOT_YET),
        (AT + "FATAL:  something new under the sun\n", NOT_YET),
        (AT + "FATAL:  Passwort-Authentifizierung für Benutzer »u« fehlgeschlagen\n", NOT_YET),
    ],
)
def test_classify(message: str, expected: Refusal) -> None:
    """A message means one thing; one that nobody knows means that waiting may help."""
    assert expected is classify(message)


@pytest.fixture(scope="module")
def rights(cluster: Cluster) -> Iterator[Cluster]:
    """Give a server with roles and databases of all the kinds that refuse a login."""
    roles = {
        "not_listed": "LOGIN",
        "tls_only": "LOGIN",
        "no_login": "NOLOGIN",
        "full_role": "LOGIN CONNECTION LIMIT 0",
    }
    databases = {
        "full_db": "CONNECTION LIMIT 0",
        "closed_db": "ALLOW_CONNECTIONS false",
        "private_db": "",
    }
    for name, options in roles.items():
        cluster.execute(f"CREATE ROLE {name} {options} PASSWORD '{PASSWORD}'")
    for name, options in databases.items():
        cluster.execute(f"CREATE DATABASE {name} {options}")
    cluster.execute("REVOKE CONNECT ON DATABASE private_db FROM PUBLIC")
    yield cluster
    for name in databases:
        cluster.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
    for name in roles:
        cluster.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def said_by(url: str) -> psycopg2.OperationalError:
    with pytest.raises(psycopg2.OperationalError) as caught:
        connect(parse_database_url(url), timeout=30)
    return caught.value


@pytest.mark.parametrize(
    ("login", "rest", "expected", "cause"),
    [
        (
            "moriai_user:wrong",
            "postgres",
            LOGIN,
            'password authentication failed for user "moriai_user"',
        ),
        ("moriai_user", "postgres", LOGIN, "fe_sendauth: no password supplied"),
        ("nobody:x", "postgres", LOGIN, 'password authentication failed for user "nobody"'),
        (f"no_login:{PASSWORD}", "postgres", LOGIN, 'role "no_login" is not permitted to log in'),
        (
            f"not_listed:{PASSWORD}",
            "postgres",
            LOGIN,
            'pg_hba.conf rejects connection for host "127.0.0.1", user "not_listed", '
            'database "postgres", no encryption',
        ),
        (
            f"tls_only:{PASSWORD}",
            "postgres",
            LOGIN,
            'pg_hba.conf rejects connection for host "127.0.0.1", user "tls_only", '
            'database "postgres", no encryption',
        ),
        (
            f"moriai_user:{PASSWORD}",
            "postgres?sslmode=require",
            LOGIN,
            "server does not support SSL, but SSL was required",
        ),
        (
            f"moriai_user:{PASSWORD}",
            "postgres?sslmode=always",
            LOGIN,
            'invalid sslmode value: "always"',
        ),
        (
            f"moriai_user:{PASSWORD}",
            "postgres?channel_binding=require",
            LOGIN,
            "channel binding required, but SSL not in use",
        ),
        (
            f"moriai_user:{PASSWORD}",
            "postgres?keepalives=x",
            LOGIN,
            'invalid integer value "x" for connection option "keepalives"',
        ),
        (
            f"moriai_user:{PASSWORD}",
            "postgres?service=none",
            LOGIN,
            'definition of service "none" not found',
        ),
        (
            f"moriai_user:{PASSWORD}",
            "postgres?require_auth=md5",
            LOGIN,
            'authentication method requirement "md5" failed: server requested SASL authentication',
        ),
        (
            f"moriai_user:{PASSWORD}",
            "private_db",
            LOGIN,
            'permission denied for database "private_db"',
        ),
        (f"moriai_user:{PASSWORD}", "nowhere", MISSING, 'database "nowhere" does not exist'),
        (f"full_role:{PASSWORD}", "postgres", NOT_YET, 'too many connections for role "full_role"'),
        (
            f"moriai_user:{PASSWORD}",
            "full_db",
            NOT_YET,
            'too many connections for database "full_db"',
        ),
        (
            f"moriai_user:{PASSWORD}",
            "closed_db",
            NOT_YET,
            'database "closed_db" is not currently accepting connections',
        ),
    ],
)
def test_a_real_server(
    rights: Cluster, login: str, rest: str, expected: Refusal, cause: str
) -> None:
    """What the server says is understood, and told in one line without libpq's preamble."""
    error = said_by(f"postgresql://{login}@127.0.0.1:{rights.port}/{rest}")
    assert (expected, cause) == (classify(str(error)), one_line(error).removeprefix("FATAL:  "))


def test_one_address_after_another(cluster: Cluster) -> None:
    """A server that is not there before one that refuses the password: the password counts."""
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{cluster.port}"
    error = said_by(f"postgresql://moriai_user:wrong@{hosts}/postgres")
    assert (
        classify(str(error)),
        one_line(error),
    ) == (LOGIN, 'FATAL:  password authentication failed for user "moriai_user"')


def test_a_wrong_password_from_a_file(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the password came from is no cause."""
    file = tmp_path / "pgpass"
    file.touch(mode=0o600)
    file.write_text("*:*:*:*:wrong\n")
    monkeypatch.setenv("PGPASSFILE", str(file))
    error = said_by(f"postgresql://moriai_user@127.0.0.1:{cluster.port}/postgres")
    assert (
        classify(str(error)),
        one_line(error),
    ) == (LOGIN, 'FATAL:  password authentication failed for user "moriai_user"')


def test_nobody_there() -> None:
    """A refused connection may pass."""
    error = said_by(f"postgresql://u:pw@127.0.0.1:{free_port()}/d")
    assert (classify(str(error)), one_line(error)) == (NOT_YET, "Connection refused")


def test_no_such_host() -> None:
    """A name that nobody knows may be known soon, as with containers that start together."""
    error = said_by("postgresql://u:pw@database.invalid/d")
    assert NOT_YET is classify(str(error))
    expected = 'could not translate host name "database.invalid" to address: '
    assert expected == one_line(error)[: len(expected)]


def test_a_server_that_hangs_up() -> None:
    """A proxy whose server is not there yet hangs up: one line says so, without libpq's guess."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            client, _ = listener.accept()
            client.recv(1)
            client.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        error = said_by(
            f"postgresql://u:pw@127.0.0.1:{listener.getsockname()[1]}/d?sslmode=disable"
            "&gssencmode=disable"
        )
        thread.join()
    expected = {"server closed the connection unexpectedly"}
    # What is left unread when the socket closes may make it a reset.
    expected.add("could not receive data from server: Connection reset by peer")
    assert (classify(str(error)), one_line(error) in expected) == (NOT_YET, True)
