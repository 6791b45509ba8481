"""Why a login failed, told by facts: what servers, poolers and libpq answer, in any language."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from alembic_boot.postgres.answer import Answer, Refusal, meaning
from alembic_boot.postgres.connection import answer_to, connect, one_line
from alembic_boot.postgres.failed_login import FailedLogin, understand
from alembic_boot.postgres.message import causes
from alembic_boot.postgres.urls import DatabaseUrl, parse_database_url
from tests.boot.postgres.fake_server import fake_server
from tests.cluster import PASSWORD, Cluster, free_port

NOT_YET, LOGIN, MISSING = Refusal.NOT_YET, Refusal.LOGIN, Refusal.DATABASE_MISSING
BY_POOLER = Refusal.BY_POOLER


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        # a server's, by its SQLSTATE
        (Answer("28P01", "Passwort-Authentifizierung für Benutzer »u« fehlgeschlagen"), LOGIN),
        (Answer("28000", "역할 없음"), LOGIN),
        (Answer("42501", "permission denied for database"), LOGIN),
        (Answer("42704", "unrecognized configuration parameter"), LOGIN),
        (Answer("22023", "invalid value for parameter"), LOGIN),
        (Answer("0A000", "unsupported frontend protocol"), LOGIN),
        (Answer("3D000", "데이터베이스 없음"), MISSING),
        (Answer("57P03", "the database system is starting up"), NOT_YET),
        (Answer("57P01", "terminating connection due to administrator command"), NOT_YET),
        (Answer("53300", "sorry, too many clients already"), NOT_YET),
        (Answer("55000", "the database takes no connections now"), NOT_YET),
        (Answer("XX000", "password authentication failed"), NOT_YET),
        (Answer("57P03", "no such database"), NOT_YET),
        # PgBouncer's, which has one code
        (Answer("08P01", "no such user: u"), LOGIN),
        (Answer("08P01", "no such user"), LOGIN),
        (Answer("08P01", "auth failed"), LOGIN),
        (Answer("08P01", "password authentication failed"), LOGIN),
        (Answer("08P01", "SASL authentication failed"), LOGIN),
        (Answer("08P01", "SSL required"), LOGIN),
        (Answer("08P01", "TLS connection required"), LOGIN),
        (Answer("08P01", "TLS client certificate required"), LOGIN),
        (Answer("08P01", "not allowed"), LOGIN),
        (Answer("08P01", "no such database: d"), MISSING),
        (Answer("08P01", "unsupported startup parameter: options"), BY_POOLER),
        (Answer("08P01", "server login has been failing (server_login_retry)"), BY_POOLER),
        # handed on by it: words of a server
        (Answer("08P01", 'password authentication failed for user "u"'), BY_POOLER),
        (Answer("08P01", "데이터베이스 없음"), BY_POOLER),
        # libpq's own
        (Answer(libpq_gave_up=True), LOGIN),
        (Answer(), NOT_YET),
        (Answer(is_good=True), NOT_YET),
    ],
)
def test_meaning(answer: Answer, expected: Refusal) -> None:
    """A code means one thing, whatever the sentence; what nobody knows may pass."""
    assert expected is meaning(answer)


@contextmanager
def answering(*answers: bytes) -> Iterator[DatabaseUrl]:
    """Give the URL of a server that says this to who logs in, each time, and hangs up."""

    def meet(client: socket.socket) -> None:
        with client:
            client.recv(1000)
            for answer in answers:
                client.sendall(answer)

    with fake_server(meet) as url:
        yield url


def refusing(
    code: str, sentence: bytes, severity: bytes = b"FATAL", detail: bytes | None = None
) -> bytes:
    """Return the message by which a server refuses a login."""
    explanation = b"" if detail is None else b"\0D" + detail
    fields = b"S" + severity + b"\0C" + code.encode() + b"\0M" + sentence + explanation + b"\0\0"
    return b"E" + struct.pack("!I", len(fields) + 4) + fields


@pytest.mark.parametrize(
    ("severity", "sentence", "shown"),
    [
        ("치명적오류", "비밀번호가 틀립니다", "비밀번호가 틀립니다"),
        ("FATAL", "the database system is starting up", "the database system is starting up"),
        ("FATAL", "x:  57P03: y", "x:  57P03: y"),
        (
            "ВАЖНО",
            "пользователь не прошёл проверку\nDETAIL:  28P01",
            "пользователь не прошёл проверку",
        ),
    ],
)
def test_the_code_decides_in_any_language(severity: str, sentence: str, shown: str) -> None:
    """The severity and the sentence are the server's to choose."""
    with answering(refusing("28P01", sentence.encode(), severity.encode())) as url:
        assert understood(url) == FailedLogin(LOGIN, shown)


FRENCH = "aucune entrée dans pg_hba.conf pour l'hôte « h »,\nbase de données « d »"
DETAIL = "Le rôle a été enlevé,\net la base aussi."


def test_a_refusal_of_several_lines() -> None:
    """Translations break lines; the whole sentence is shown, and what explains it is not."""
    with answering(refusing("28000", FRENCH.encode(), detail=DETAIL.encode())) as url:
        said = FRENCH.replace("\n", " ")
        assert understood(url) == FailedLogin(LOGIN, said)
        with pytest.raises(psycopg2.OperationalError) as caught:
            connect(url, timeout=30)
        assert one_line(caught.value) == f"FATAL:  {said}"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("one", ["one"]),
        ("", []),
        (
            'connection to server at "a", port 1 failed: Connection refused\n\tIs the server '
            'running?\nconnection to server at "b", port 1 failed: FATAL:  un\ndeux\n'
            "DETAIL:  trois\nquatre\n"
            'connection to server at "c", port 1 failed: Connection refused',
            [
                'connection to server at "a", port 1 failed: Connection refused',
                'connection to server at "b", port 1 failed: FATAL:  un deux',
                'connection to server at "c", port 1 failed: Connection refused',
            ],
        ),
        (
            'could not translate host name "a" to address: no\n'
            'could not translate host name "b" to address: no',
            [
                'could not translate host name "a" to address: no',
                'could not translate host name "b" to address: no',
            ],
        ),
        ("FATAL:  un\n  deux\nHINT:  trois", ["FATAL:  un deux"]),
        ("server closed\n\tThis probably means\n\tbefore or while", ["server closed"]),
    ],
)
def test_the_causes_in_a_message(message: str, expected: list[str]) -> None:
    """One for each host, on one line, without what explains it."""
    assert causes(message) == expected


def test_the_code_decides_in_any_encoding() -> None:
    """A server speaks in its own encoding before it knows the client's."""
    with answering(refusing("3D000", "Datenbank »d« fehlt".encode("latin-1"))) as url:
        assert answer_to(url, timeout=30).code == "3D000"
        assert understood(url).refusal is MISSING


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((), NOT_YET),  # as a router does that has nobody behind it
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), NOT_YET),
    ],
)
def test_somebody_who_hangs_up(said: tuple[bytes, ...], expected: Refusal) -> None:
    """What ends the connection without a code may be there soon."""
    with answering(*said) as url:
        assert understood(url).refusal is expected


def understood(url: DatabaseUrl) -> FailedLogin:
    with pytest.raises(psycopg2.OperationalError) as caught:
        connect(url, timeout=30)
    return understand(url, caught.value, timeout=30)


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
            "postgres?channel_binding=require",
            LOGIN,
            "channel binding required, but SSL not in use",
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
    url = parse_database_url(f"postgresql://{login}@127.0.0.1:{rights.port}/{rest}")
    assert understood(url) == FailedLogin(expected, cause)


def test_one_address_after_another(cluster: Cluster) -> None:
    """A server that is not there before one that refuses the password: the password counts."""
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{cluster.port}"
    url = parse_database_url(f"postgresql://moriai_user:wrong@{hosts}/postgres")
    assert understood(url) == FailedLogin(
        LOGIN, 'password authentication failed for user "moriai_user"'
    )


def test_a_wrong_password_from_a_file(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the password came from is no cause."""
    file = tmp_path / "pgpass"
    file.touch(mode=0o600)
    file.write_text("*:*:*:*:wrong\n")
    monkeypatch.setenv("PGPASSFILE", str(file))
    url = parse_database_url(f"postgresql://moriai_user@127.0.0.1:{cluster.port}/postgres")
    assert understood(url) == FailedLogin(
        LOGIN, 'password authentication failed for user "moriai_user"'
    )


def test_a_variable_of_libpqs_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting does not change the environment."""
    url = parse_database_url(f"postgresql://u:pw@127.0.0.1:{free_port()}/d")
    monkeypatch.setenv("PGSSLMODE", "always")
    assert understood(url) == FailedLogin(LOGIN, 'invalid sslmode value: "always"')


def test_nobody_there() -> None:
    """A refused connection may pass."""
    url = parse_database_url(f"postgresql://u:pw@127.0.0.1:{free_port()}/d")
    assert understood(url) == FailedLogin(NOT_YET, "Connection refused")


def test_no_such_host() -> None:
    """A name that nobody knows may be known soon, as with containers that start together."""
    found = understood(parse_database_url("postgresql://u:pw@database.invalid/d"))
    assert found.refusal is NOT_YET
    assert found.cause.startswith('could not translate host name "database.invalid" to address: ')


def test_a_server_that_hangs_up() -> None:
    """A proxy whose server is not there yet hangs up: one line says so, without libpq's guess."""
    with answering() as url:
        found = understood(url)
    # What is left unread when the socket closes may make it a reset.
    assert found.cause in {
        "server closed the connection unexpectedly",
        "could not receive data from server: Connection reset by peer",
    }
    assert found.refusal is NOT_YET


class TestPooler:
    def test_hands_on_that_a_database_is_missing(self, pgbouncer: Callable[[str], str]) -> None:
        """The same login works elsewhere, and the server has no database of that name."""
        found = understood(parse_database_url(pgbouncer("no \"such' one").replace(" ", "%20")))
        assert (found.refusal, found.by_pooler) == (MISSING, False)

    def test_refuses_the_settings_of_a_login(
        self, pgbouncer: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Wherever libpq has them from: the login works without."""
        url = pgbouncer("postgres")
        found = understood(parse_database_url(f"{url}?options=-csearch_path%3Dpublic"))
        assert (found.refusal, found.for_options) == (LOGIN, True)
        monkeypatch.setenv("PGOPTIONS", "-csearch_path=public")
        assert understood(parse_database_url(url)).for_options

    @pytest.mark.parametrize(
        ("sentence", "expected"),
        [
            ("no such user: u", LOGIN),
            ("no such database: d", MISSING),
            ("server login has been failing, try again later (server_login_retry)", NOT_YET),
            ("데이터베이스 시스템이 새로 시작하고 있습니다", NOT_YET),
        ],
    )
    def test_speaks_for_itself_or_for_a_server(self, sentence: str, expected: Refusal) -> None:
        """Its own sentences are always the same; what it hands on may pass."""
        with answering(refusing("08P01", sentence.encode())) as url:
            assert understood(url) == FailedLogin(expected, sentence, by_pooler=True)
