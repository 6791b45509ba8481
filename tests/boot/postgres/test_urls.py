"""A PostgreSQL URL: what is taken, what is refused, and that its password shows nowhere."""

import pwd
import traceback
from dataclasses import replace
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import psycopg2
import pytest
from hypothesis import example, given, settings, strategies as st
from psycopg2.extensions import parse_dsn
from sqlalchemy import make_url

from alembic_boot.errors import ConfigurationError
from alembic_boot.output import masking
from alembic_boot.postgres import urls
from alembic_boot.postgres.options import DRIVERS
from alembic_boot.postgres.urls import DatabaseUrl, build_database_url, parse_database_url

ADVICE = (
    "Write it as postgresql://user:password@host:5432/database, with special characters "
    "percent-encoded (% is %25, @ is %40, / is %2F)."
)


ANY = {"target_session_attrs": "any"}
PRIMARY = {"target_session_attrs": "primary"}
DB_OF_PRIMARY = {"dbname": "db", **PRIMARY}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "postgresql://me:pw@h:5433/db",
            {"user": "me", "password": "pw", "host": "h", "port": "5433", "dbname": "db"},
        ),
        ("postgres://h/db", {"host": "h", "dbname": "db"}),
        ("postgresql+psycopg2://h/db", {"host": "h", "dbname": "db"}),
        (
            "postgresql+asyncpg://h/db?ssl=require",
            {"host": "h", "dbname": "db", "sslmode": "require"},
        ),
        (
            "postgresql+asyncpg://h/db?prepared_statement_cache_size=0",
            {"host": "h", "dbname": "db"},
        ),
        (
            "postgresql+asyncpg://u@/db?host=/run/pg",
            {"user": "u", "host": "/run/pg", "dbname": "db"},
        ),
        ("postgresql://%2Frun%2Fp%20g/db", {"host": "/run/p g", "dbname": "db"}),
        (
            "postgresql://u@%2Frun%2Fpg:5433/db",
            {"user": "u", "host": "/run/pg", "port": "5433", "dbname": "db"},
        ),
        ("postgresql://@/db?host=@abstract", {"host": "@abstract", "dbname": "db"}),
        ("postgresql:///db?hostaddr=127.0.0.1", {"hostaddr": "127.0.0.1", "dbname": "db"}),
        ("postgresql://h/db?ssl=true", {"host": "h", "dbname": "db", "sslmode": "require"}),
        ("postgresql://h/db?ssl=require", {"host": "h", "dbname": "db", "sslmode": "require"}),
        (
            "postgresql://h/db?options=-csearch_path=a",
            {"host": "h", "dbname": "db", "options": "-csearch_path=a"},
        ),
        (
            "postgresql://h/db?options=-c%20search_path%3Da+b",
            {"host": "h", "dbname": "db", "options": "-c search_path=a+b"},
        ),
        (
            "postgresql+psycopg://h/db?options=-c+search_path%3Da",
            {"host": "h", "dbname": "db", "options": "-c search_path=a"},
        ),
        ("postgresql:///db?host=/run/pg", {"host": "/run/pg", "dbname": "db"}),
        ("postgresql:///db", {"dbname": "db"}),
        ("postgresql://?dbname=db&host=h", {"dbname": "db", "host": "h"}),
        (
            "postgresql://u:p%25%40%2F@h/a%20b",
            {"user": "u", "password": "p%@/", "host": "h", "dbname": "a b"},
        ),
        (
            "postgresql://u:p?#:w@h/db",
            {"user": "u", "password": "p?#:w", "host": "h", "dbname": "db"},
        ),
        ("postgresql://[::1]:5433/db", {"host": "::1", "port": "5433", "dbname": "db"}),
        ("postgresql://h/db?target_session_attrs=any", {"host": "h", "dbname": "db", **ANY}),
        ("postgresql://a:1,b:2/db", {"host": "a,b", "port": "1,2", "dbname": "db", **PRIMARY}),
        ("postgresql://a,b/db", {"host": "a,b", "port": "5432,5432", "dbname": "db", **PRIMARY}),
        ("postgresql:///db?host=a,b&port=9", {"host": "a,b", "port": "9,9", **DB_OF_PRIMARY}),
        ("postgresql:///db?host=a:1&host=b:2", {"host": "a,b", "port": "1,2", **DB_OF_PRIMARY}),
        (
            "postgresql:///db?host=%5B::1%5D:1&host=/run/pg",
            {"host": "::1,/run/pg", "port": "1,5432", **DB_OF_PRIMARY},
        ),
        ("postgresql:///db?host=a:1", {"host": "a", "port": "1", "dbname": "db"}),
        (
            "postgresql+asyncpg:///db?host=a:1&host=b:2&ssl=require",
            {"host": "a,b", "port": "1,2", "sslmode": "require", **DB_OF_PRIMARY},
        ),
        (
            "postgresql://a,b/db?target_session_attrs=read-write",
            {
                "host": "a,b",
                "port": "5432,5432",
                "dbname": "db",
                "target_session_attrs": "read-write",
            },
        ),
        (
            "postgresql://h/db?sslmode=require&application_name=a%40b",
            {"host": "h", "dbname": "db", "sslmode": "require", "application_name": "a@b"},
        ),
    ],
)
def test_what_is_taken(text: str, expected: dict[str, str]) -> None:
    """A URL is read as libpq reads it; another driver's own options are left to that driver."""
    assert expected == parse_database_url(text).parameters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not a PostgreSQL URL."),
        ("db.example:5432/db", "is not a PostgreSQL URL."),
        ("mysql://h/db", "is not a PostgreSQL URL."),
        ("postgresqlx://h/db", "is not a PostgreSQL URL."),
        ("host=h dbname=db", "is not a PostgreSQL URL."),
        ("postgresql:/h/db", "is not a PostgreSQL URL."),
        ("postgresql://u:100%@h/db", "is malformed."),
        ("postgresql://u:a%00b@h/db", "is malformed."),
        ("postgresql://u:a%ffb@h/db", "is malformed."),
        ("postgresql://u:a\udcff@h/db", "is malformed."),
        ("postgresql://u:a@b@h/db", "is malformed."),
        ("postgresql://u:a/b@h/db", "is malformed."),
        ("postgresql://h/d@b", "is malformed."),
        ("postgresql://[::1/db", "is malformed."),
        ("postgresql://h/db?application_name=100%", "is malformed."),
        ("postgresql://h/db?application_name=a%00b", "is malformed."),
        ("postgresql://h/db?application_name", "is malformed."),
        ("postgresql://h/db?=x", "is malformed."),
        ("postgresql+asyncpg://[::1/db?x=1", "is malformed."),
        ("postgresql:///db?host=a:1&host=b:x", "is malformed."),
        ("postgresql:///db?host=a:1&host=::1", "is malformed."),
        ("postgresql:///db?host=a:1&host=b&port=2", "is malformed."),
        ("postgresql://", "names no database."),
        ("postgresql://h", "names no database."),
        ("postgresql://h/", "names no database."),
        ("postgresql://h/?dbname=", "names no database."),
        ("postgresql://h:x/db", "has a port that is not a number to 65535."),
        ("postgresql://h:0/db", "has a port that is not a number to 65535."),
        ("postgresql://h:65536/db", "has a port that is not a number to 65535."),
        ("postgresql://h:-1/db", "has a port that is not a number to 65535."),
        ("postgresql://h:5432a/db", "has a port that is not a number to 65535."),
        ("postgresql://h:\N{FULLWIDTH DIGIT ONE}/db", "has a port that is not a number to 65535."),
        ("postgresql://a:1,b:x/db", "has a port that is not a number to 65535."),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    """A URL that means nothing is one sentence with the setting's name, and how to write it."""
    with pytest.raises(ConfigurationError) as caught:
        parse_database_url(text, "SOME_URL")
    assert (f"SOME_URL {expected} {ADVICE}", 2) == (str(caught.value), caught.value.exit_status)


LEAVE_OUT = "Leave the option out."
PLAIN = "write the URL as postgresql+psycopg2://…."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            (
                f"postgresql://u:p@h/db?sslmode=prefer&{name}={value}",
                f"has the option {name}, which neither libpq nor the driver knows. {LEAVE_OUT}",
            )
            for name, value in [
                ("pgbouncer", "true"),
                ("schema", "public"),
                ("connection_limit", "5"),
                ("server_settings", "x"),
                ("prepared_statement_cache_size", "0"),
            ]
        ),
        (
            "postgresql+psycopg2://h/db?a%20b=1",
            f"has an option, which neither libpq nor the driver knows. {LEAVE_OUT}",
        ),
        *(
            (
                f"postgresql+asyncpg://h/db?{name}=10",
                f"has the option {name}, which the driver asyncpg takes from no URL. Leave the "
                f"option out, or {PLAIN}",
            )
            for name in ("application_name", "connect_timeout", "options", "sslrootcert")
        ),
        *(
            (
                f"postgresql://u:p@h/db?application_name=x&{name}={value}",
                f"has the option {name} with a value that libpq does not take. Correct the value, "
                "or leave the option out.",
            )
            for name, value in [
                ("sslmode", "always"),
                ("sslmode", "on"),
                ("channel_binding", "yes"),
                ("keepalives", "x"),
                ("connect_timeout", "soon"),
                ("require_auth", "nothing"),
            ]
        ),
        (
            "postgresql://h/db?sslrootcert=system&sslmode=prefer",
            "has the option sslrootcert and sslmode with a value that libpq does not take. "
            "Correct the value, or leave the option out.",
        ),
        (
            "postgresql+nonsense://h/db",
            "names a driver that cannot be used here. Name one of psycopg2, psycopg, "
            f"psycopg_async, asyncpg, or {PLAIN}",
        ),
    ],
)
def test_what_is_refused_by_its_name(text: str, expected: str) -> None:
    """The part that cannot be used is named, without advice on what is in order."""
    with pytest.raises(ConfigurationError) as caught:
        parse_database_url(text, "SOME_URL")
    assert (f"SOME_URL {expected}", 2) == (str(caught.value), caught.value.exit_status)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+secret://h/db",
        "postgresql+s3cret://user:pw@h/db",
        "postgresql://user:pw@h/db?s3cret=x",
        "postgresql://user:pw@h/db?pass.secret=x",
        "postgresql://user:12/x?secret=word",
        "postgresql://user:12?secret=word",
    ],
)
def test_nothing_is_repeated_that_may_be_a_secret(text: str) -> None:
    """What was typed at the wrong place stays out of the sentence."""
    with pytest.raises(ConfigurationError) as caught:
        parse_database_url(text)
    assert "secret" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("rest", ["x?secret=word@h/db", "x?sslmode=secret@h/db"])
def test_no_name_where_it_may_be_the_passwords(rest: str) -> None:
    """Of a password that is not encoded, the rest can pass for an option."""
    with pytest.raises(ConfigurationError) as caught:
        parse_database_url(f"postgresql://user:12/{rest}")
    assert "secret" not in str(caught.value)
    assert "sslmode" not in str(caught.value)


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is named."""
    missing = replace(DRIVERS["asyncpg"], package="not_installed_here")
    monkeypatch.setattr(urls, "DRIVERS", {**DRIVERS, "asyncpg": missing})
    with pytest.raises(ConfigurationError) as caught:
        parse_database_url("postgresql+asyncpg://h/db", "SOME_URL")
    assert str(caught.value) == (
        "SOME_URL names the driver asyncpg, and the package not_installed_here is not installed. "
        f"Install the package, or {PLAIN}"
    )


class TestService:
    @pytest.fixture(autouse=True)
    def file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Give a service file with one service in it."""
        file = tmp_path / "services"
        file.write_text(
            "# all\n[other]\nhost=no\n\n[books]\nhost=h\nport=5433\n# who\nuser=u\ndbname=db\n"
            "password=the-secret-of-it\nsslmode=require\n[last]\nhost=no\n"
        )
        monkeypatch.setenv("PGSERVICEFILE", str(file))
        return file

    @pytest.mark.parametrize("text", ["postgresql:///?service=books", "postgresql://"])
    def test_says_what_the_url_leaves_out(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """By the URL's option or for every URL; the secret stays where libpq finds it."""
        monkeypatch.setenv("PGSERVICE", "books")
        url = parse_database_url(text)
        found = {name: it for name, it in url.parameters.items() if name != "service"}
        place = {"host": "h", "port": "5433", "user": "u", "dbname": "db"}
        assert found == {**place, "sslmode": "require"}
        assert masking.mask("the-secret-of-it") == "***"

    def test_yields_to_the_url(self) -> None:
        """What the URL says itself counts."""
        found = parse_database_url("postgresql://v@other/mine?service=books").parameters
        assert [found[it] for it in ("user", "host", "dbname")] == ["v", "other", "mine"]

    def test_is_spelt_out_for_a_driver_that_knows_none(self) -> None:
        """asyncpg gets the login whole."""
        url = parse_database_url("postgresql+asyncpg:///?service=books")
        assert url.sqlalchemy_url == (
            "postgresql+asyncpg://u:the-secret-of-it@h:5433/db?ssl=require"
        )

    @pytest.mark.parametrize(
        ("text", "variable", "expected"),
        [
            ("postgresql:///?service=none", "", "names a service, which no service file has."),
            ("postgresql://h/db", "none", "is read with PGSERVICE, which no service file has."),
        ],
    )
    def test_that_is_not_there(
        self, text: str, variable: str, expected: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is refused where the URL is read."""
        monkeypatch.setenv("PGSERVICE", variable)
        with pytest.raises(ConfigurationError) as caught:
            parse_database_url(text, "SOME_URL")
        advice = "Add it to the file that PGSERVICEFILE names."
        assert str(caught.value) == f"SOME_URL {expected} {advice}"

    def test_of_a_user_without_a_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As in a container whose user is a number only."""

        def unknown(user: int) -> NoReturn:
            raise KeyError(user)

        for name in ("PGSERVICEFILE", "HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(pwd, "getpwuid", unknown)
        with pytest.raises(ConfigurationError, match="which no service file has"):
            parse_database_url("postgresql:///?service=books")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://a,b/db?target_session_attrs=any",
        "postgresql://a,b/db?target_session_attrs=standby",
        "postgresql://h/db?target_session_attrs=prefer-standby",
        "postgresql+asyncpg://h/db?target_session_attrs=read-only&ssl=require",
    ],
)
def test_no_other_server_than_the_primary(text: str) -> None:
    """A URL that asks for a standby, or for whichever host answers, is refused."""
    with pytest.raises(ConfigurationError) as caught:
        parse_database_url(text, "SOME_URL")
    assert str(caught.value) == (
        "SOME_URL asks for another server than the primary (target_session_attrs). "
        "Leave that out: of several hosts the one that takes writes is found."
    )


@pytest.mark.parametrize("text", ["postgresql://a,b,c/db?port=1,2", "postgresql://h/db?port=1,2"])
def test_a_port_for_each_host_or_one_for_all(text: str) -> None:
    """Ports that could not be told apart are refused."""
    with pytest.raises(ConfigurationError) as caught:
        parse_database_url(text, "SOME_URL")
    assert str(caught.value) == (
        "SOME_URL does not have as many ports as hosts. Give one for each, or one for all."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://me:pw@h:5433/db", "postgresql://me:***@h:5433/db"),
        ("postgres://me@h/db", "postgresql://me@h/db"),
        ("postgresql+psycopg2://h/db", "postgresql://h/db"),
        ("postgresql://m%40e:pw@h/db", "postgresql://m%40e:***@h/db"),
        ("postgresql://h/db?password=pw&user=me", "postgresql://me:***@h/db"),
        ("postgresql://:pw@h/db", "postgresql://h/db"),
        ("postgresql://h/db?sslpassword=pw&options=x", "postgresql://h/db"),
        ("postgresql://me:pw@/db?host=/run/pg", "postgresql://me:***@/db?host=/run/pg"),
        ("postgresql://me:pw@a:1,b:2/db", "postgresql://me:***@a:1,b:2/db"),
        ("postgresql://me:pw@/db?host=a,b&port=9", "postgresql://me:***@a:9,b:9/db"),
        ("postgresql://me:pw@a,b/db", "postgresql://me:***@a:5432,b:5432/db"),
        ("postgresql://me:pw@/db?host=a:1&host=b:2", "postgresql://me:***@a:1,b:2/db"),
        ("postgresql://me:pw@a:1,[::1]:2/db", "postgresql://me:***@a:1,[::1]:2/db"),
    ],
)
def test_for_people(text: str, expected: str) -> None:
    """What people read is put together from harmless parts: no password, no options."""
    url = parse_database_url(text)
    assert [expected] * 3 == [url.masked, str(url), f"{url}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:p%40@h/db", "postgresql+psycopg2://u:p%40@h/db"),
        ("postgres://u:p%40@h/db", "postgresql+psycopg2://u:p%40@h/db"),
        ("postgresql+psycopg2://h/db", "postgresql+psycopg2://h/db"),
        ("postgresql+asyncpg://h/db?ssl=require", "postgresql+asyncpg://h/db?ssl=require"),
        ("postgresql:///db?host=/run/pg", "postgresql+psycopg2:///db?host=/run/pg"),
        ("postgresql://%2Frun%2Fpg/db", "postgresql+psycopg2:///db?host=/run/pg"),
        ("postgresql+asyncpg://h/db?sslmode=require", "postgresql+asyncpg://h/db?ssl=require"),
        (
            "postgresql+asyncpg:///db?hostaddr=127.0.0.1&prepared_statement_cache_size=0",
            "postgresql+asyncpg://127.0.0.1/db?prepared_statement_cache_size=0",
        ),
        (
            "postgresql://h/db?options=-csearch_path%3Da",
            "postgresql+psycopg2://h/db?options=-csearch_path%3Da",
        ),
        ("postgresql://:p@h/db", "postgresql+psycopg2://h/db?password=p"),
    ],
)
def test_for_sqlalchemy(text: str, expected: str) -> None:
    """The driver is always said; one that the URL names itself is kept."""
    assert expected == parse_database_url(text).sqlalchemy_url


def test_ours_is_psycopg2_whatever_the_url_names() -> None:
    """What boot and the application connect by has no word of another driver's."""
    url = parse_database_url(
        "postgresql+asyncpg://h/db?ssl=require&prepared_statement_cache_size=0"
    )
    assert url.for_driver("psycopg2") == "postgresql+psycopg2://h/db?sslmode=require"


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg", "asyncpg"])
@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:p%40@a:1,[::1]:2/d%2Fb?sslmode=require",
        "postgresql://u:p%40@/d%2Fb?sslmode=require&host=a:1&host=%5B::1%5D:2",
        "postgresql://u:p%40@/d%2Fb?host=a,::1&port=1,2&sslmode=require",
    ],
)
def test_several_hosts_for_each_driver(text: str, driver: str) -> None:
    """However several hosts are written, each driver gets all, and looks for the primary."""
    url = parse_database_url(text.replace("postgresql:", f"postgresql+{driver}:"))
    read = make_url(url.sqlalchemy_url)
    _, arguments = read.get_dialect()().create_connect_args(read)
    is_async = driver == "asyncpg"
    assert arguments == {
        "user": "u",
        "password": "p@",
        "database" if is_async else "dbname": "d/b",
        "host": ["a", "::1"] if is_async else "a,::1",
        "port": [1, 2] if is_async else "1,2",
        "ssl" if is_async else "sslmode": "require",
        "target_session_attrs": "primary",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:p@h:1/db", "postgresql://u:p@h:1/ne%2Fw"),
        ("postgresql://u:p@h/db?sslmode=require", "postgresql://u:p@h/ne%2Fw?sslmode=require"),
        ("postgresql://u:p?#w@h/db", "postgresql://u:p%3F%23w@h/ne%2Fw"),
        ("postgresql:///db?host=/run/pg", "postgresql:///ne%2Fw?host=/run/pg"),
        ("postgresql://u@/db?host=/run/pg", "postgresql://u@/ne%2Fw?host=/run/pg"),
        ("postgresql://h?dbname=db&user=u", "postgresql://u@h/ne%2Fw"),
        ("postgresql://h/a?dbname=db", "postgresql://h/ne%2Fw"),
        ("postgresql+asyncpg://h/db?ssl=require", "postgresql+asyncpg://h/ne%2Fw?ssl=require"),
        ("postgresql://a:1,[::1]:2/db", "postgresql:///ne%2Fw?host=a,::1&port=1,2"),
        ("postgresql:///db?host=a:1&host=b:2", "postgresql:///ne%2Fw?host=a,b&port=1,2"),
    ],
)
def test_another_database_on_the_same_server(text: str, expected: str) -> None:
    """Only the database changes, in the URL and in the parameters alike."""
    url = parse_database_url(text)
    other = url.with_database("ne/w")
    assert expected == other.raw
    assert {**url.parameters, "dbname": "ne/w"} == other.parameters
    assert other.parameters == parse_database_url(other.raw).parameters


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("h", "5432", "postgresql://u:p@h:5432/db"),
        ("::1", "5432", "postgresql://u:p@[::1]:5432/db"),
        ("/run/pg", "5433", "postgresql://u:p@/db?host=/run/pg&port=5433"),
        ("a,::1", "5432", "postgresql://u:p@/db?host=a,::1&port=5432,5432"),
        ("a,b", "1,2", "postgresql://u:p@/db?host=a,b&port=1,2"),
    ],
)
def test_parts_make_a_url(host: str, port: str, expected: str) -> None:
    """A name, an address and a socket's folder each stand where they belong."""
    url = build_database_url(host=host, port=port, user="u", password="p", database="db")
    assert expected == url.raw


@pytest.mark.parametrize("password", [None, ""])
def test_no_password_leaves_it_to_libpq(password: str | None) -> None:
    """Without a password libpq looks in its own places, such as a pgpass file."""
    url = build_database_url(host="h", port="1", user="u", password=password, database="db")
    assert (url.raw, url.masked) == ("postgresql://u@h:1/db", "postgresql://u@h:1/db")
    assert "password" not in url.parameters


# Long enough to stand in no sentence by chance. Hypothesis also tries words of the code, which do.
passwords = st.text(
    st.characters(codec="utf-8", exclude_categories=["C"]) | st.sampled_from("%@/:?#[]&= "),
    min_size=12,
    max_size=30,
).map("{}~".format)

TEMPLATES = st.sampled_from(
    [
        "postgresql://user:{}@host/db",
        "postgresql://user:{}@host:5433/db?sslmode=require",
        "postgresql+asyncpg://user:{}@host/db?ssl=require",
        "postgresql://user:{}@/db?host=/run/pg",
        "postgresql://user:{}@h1:5432,h2:5433/db",
        "postgresql://user:{}@/db?host=h1:5432&host=h2:5433",
        "postgresql://host/db?user=u&password={}",
        "postgresql://host/db?sslpassword={}",
        # malformed
        "postgresql://user:{}@host",
        "postgresql://user:{}@host:port/db",
        "postgresql://user:{}@host:99999/db",
        "postgresql://user:{}@[host/db",
        "postgresql://user:{}@host/db?nonsense=1",
        "postgresql://user:{}@host/db?=",
        "postgresql//user:{}@host/db",
        "mysql://user:{}@host/db",
        "user:{}@host/db",
        "{}",
    ]
)


@settings(deadline=None)
@given(template=TEMPLATES, password=passwords, encoded=st.booleans())
@example(template="postgresql://user:{}@host/db", password="@rest-passes-for-host", encoded=False)
@example(
    template="postgresql://user:{}@host/db", password="/rest-passes-for-database", encoded=False
)
@example(template="postgresql://user:{}@host/db", password="1234567890123/", encoded=False)
@example(
    template="postgresql://user:{}@host/db", password="?sslmode=looks-like-an-option", encoded=False
)
def test_the_password_shows_nowhere(template: str, password: str, encoded: bool) -> None:
    """Well-formed or not, encoded as it should be or not: no text for people has the password."""
    text = template.format(quote(password, safe="") if encoded else password)
    try:
        url = parse_database_url(text)
    except ConfigurationError as error:
        shown = [str(error), repr(error), "".join(_sentences(error))]
    else:
        shown = [str(url), repr(url), url.masked, repr([url]), str(url.with_database("other"))]
    assert [line for line in shown if password in line or quote(password, safe="") in line] == []


def _sentences(error: BaseException) -> list[str]:
    """Return what a traceback says of an error and its causes, without the lines of source."""
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        chain += traceback.format_exception_only(cause)
        cause = cause.__cause__
    return chain


# libpq stops at the first @ and the first /, so both parts can hold anything that is encoded.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@settings(deadline=None)
@given(user=texts, password=texts, database=texts, other=texts)
def test_another_database_is_what_drivers_read(
    user: str, password: str, database: str, other: str
) -> None:
    """libpq and SQLAlchemy read the other database from the URL, with the login unchanged."""
    url = build_database_url(
        host="h", port="5432", user=user, password=password, database=database
    ).with_database(other)
    assert url.parameters == parse_dsn(url.raw)
    read = make_url(url.sqlalchemy_url)
    _, login = read.get_dialect()().create_connect_args(read)
    assert (user, password, other) == (login["user"], login["password"], login["dbname"])


def test_equal_urls() -> None:
    """Two URLs are one and the same where they lead to the same place by the same login."""
    one = parse_database_url("postgresql://h/db?sslmode=require", "DATABASE_URL")
    assert one == parse_database_url("postgres:///db?host=h&ssl=require", "OTHER_URL")
    assert one != parse_database_url("postgresql+asyncpg://h/db?ssl=require")


class TestPasswordFile:
    @pytest.fixture
    def url(self, tmp_path: Path) -> DatabaseUrl:
        """Give a URL whose password is in a file."""
        file = tmp_path / "secret"
        file.write_text("first\n")
        return replace(parse_database_url("postgresql://u:old@h/db"), password_file=file)

    def test_is_read_for_each_login(self, url: DatabaseUrl) -> None:
        """By boot's own connections, and in what an env.py and the application are given."""
        for password in ("first", "second/one"):
            assert url.password_file is not None
            url.password_file.write_text(f"{password}\n")
            assert url.login["password"] == password
            assert url.with_database("other").login["password"] == password
            assert make_url(url.sqlalchemy_url).password == password
            assert masking.mask(f"it is {password}") == "it is ***"

    def test_that_cannot_be_read(self, url: DatabaseUrl) -> None:
        """A login fails as others do; a URL cannot be said."""
        assert url.password_file is not None
        url.password_file.unlink()
        with pytest.raises(psycopg2.OperationalError, match="the file with the password cannot"):
            _ = url.login
        with pytest.raises(ConfigurationError, match="The file with the password cannot be read"):
            _ = url.sqlalchemy_url
